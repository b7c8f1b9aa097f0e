#include "io/run/layout.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/folder.h"
#include "io/look.h"
#include "io/run/job_folder.h"
#include "io/run/manifest.h"

#define PART_NAME_FORMAT "part-%05ld-%05ld"

static const struct {
  const char *name, *suffix;
} layout[FOLDERS] = {
#define LAYOUT_ENTRY(folder, name, suffix, stored) [FOLDER_##folder] = {name, suffix},
    LAYOUT(LAYOUT_ENTRY)
#undef LAYOUT_ENTRY
};

bool layout_stores(enum folder folder, const struct run_settings *settings) {
  const bool stores[FOLDERS] = {
#define LAYOUT_ENTRY(folder, name, suffix, stored) [FOLDER_##folder] = stored,
      LAYOUT(LAYOUT_ENTRY)
#undef LAYOUT_ENTRY
  };
  return stores[folder];
}

bool layout_is_lock(const char *name) {
  return strcmp(name, LOCK_NAME) == 0 || strcmp(name, LOCK_SEEN_NAME) == 0;
}

void layout_folder_name(enum folder folder, int32_t width, char name[PART_PATH_MAX]) {
  if (folder == FOLDER_VECTORS)
    snprintf(name, PART_PATH_MAX, "%s%d", layout[folder].name, width);
  else
    snprintf(name, PART_PATH_MAX, "%s", layout[folder].name);
}

bool layout_folder_find(const char *name, enum folder *folder) {
  for (*folder = 0; *folder < FOLDERS; (*folder)++) {
    if (*folder != FOLDER_VECTORS && strcmp(name, layout[*folder].name) == 0) return true;
    if (*folder != FOLDER_VECTORS || name[0] != layout[*folder].name[0]) continue;
    const size_t digits = strspn(name + 1, "0123456789");
    if (digits > 0 && name[1 + digits] == '\0') return true;
  }
  return false;
}

void part_path_format(char path[PART_PATH_MAX], enum folder folder, int32_t width, int32_t shard,
                      int32_t block) {
  char name[PART_PATH_MAX];
  layout_folder_name(folder, width, name);
  snprintf(path, PART_PATH_MAX, "%.16s/" PART_NAME_FORMAT "%s", name, (long)shard, (long)block,
           layout[folder].suffix);
}

void record_path_format(char path[PART_PATH_MAX], int32_t shard, int32_t block) {
  part_path_format(path, FOLDER_RECORDS, 0, shard, block);
}

enum folder part_path_folder(const char *path, int32_t *width) {
  char name[PART_PATH_MAX];
  enum folder folder;
  snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "/"), path);
  const bool vectors = layout_folder_find(name, &folder) && folder == FOLDER_VECTORS;
  const long number = vectors ? strtol(name + 1, NULL, 10) : 0;
  *width = number <= WIDTH_MAX ? (int32_t)number : 0;
  return folder;
}

bool part_name_parse(const char *folder, const char *name, int32_t *shard, int32_t *block) {
  long numbers[2];
  enum folder kind;
  char spelled[PART_PATH_MAX];
  if (!layout_folder_find(folder, &kind)) return false;
  if (sscanf(name, "part-%10ld-%10ld", &numbers[0], &numbers[1]) != 2) return false;
  if (numbers[0] < 0 || numbers[0] > INT32_MAX || numbers[1] < 0 || numbers[1] > INT32_MAX) return false;
  /* Written again and compared, so blanks, signs and extra zeros do not pass. */
  snprintf(spelled, sizeof spelled, PART_NAME_FORMAT "%s", numbers[0], numbers[1], layout[kind].suffix);
  if (strcmp(name, spelled) != 0) return false;
  *shard = (int32_t)numbers[0];
  *block = (int32_t)numbers[1];
  return true;
}

struct layout_walk {
  const char *out;
  const char *folder;
  layout_fn *visit;
  void *context;
};

static bool walk_folder_entry(void *context, const char *name, struct error *error) {
  const struct layout_walk *walk = context;
  char *path = file_join(walk->folder, name);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  const bool ok = walk->visit(walk->context, path, walk->folder, name, error);
  free(path);
  return ok;
}

static bool walk_out_entry(void *context, const char *name, struct error *error) {
  struct layout_walk *walk = context;
  enum folder folder;
  if (!layout_folder_find(name, &folder)) return walk->visit(walk->context, name, "", name, error);
  char *path = file_join(walk->out, name);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  walk->folder = name;
  const bool ok = folder_visit(path, walk_folder_entry, walk, error);
  free(path);
  return ok;
}

bool layout_visit(const char *out, layout_fn *visit, void *context, struct error *error) {
  struct layout_walk walk = {.out = out, .visit = visit, .context = context};
  return folder_visit(out, walk_out_entry, &walk, error);
}

struct emptiness {
  const char *out;
  bool overwrite;
};

/* Other programs may have files of this name. */
static bool report_is_runs(const char *out) {
  char begin[sizeof REPORT_BEGIN - 1];
  struct error unread;
  int descriptor = -1;
  int64_t size;
  char *path = file_join(out, REPORT_NAME);
  const bool same = path && file_open_regular(path, &descriptor, &size, &unread) &&
                    file_read_at(descriptor, path, 0, begin, sizeof begin, &unread) &&
                    memcmp(begin, REPORT_BEGIN, sizeof begin) == 0;
  if (descriptor >= 0) close(descriptor);
  free(path);
  return same;
}

static bool entry_refuse(void *context, const char *path, const char *folder, const char *name,
                         struct error *error) {
  const struct emptiness *emptiness = context;
  int32_t shard, block;
  if (file_is_temporary(name) || (*folder == '\0' && layout_is_lock(name))) return true;
  const bool top = *folder == '\0', torn = top && strcmp(name, MANIFEST_NAME) == 0;
  const bool part = part_name_parse(folder, name, &shard, &block) ||
                    (top && strcmp(name, REPORT_NAME) == 0 && report_is_runs(emptiness->out));
  if ((part || torn) && emptiness->overwrite) return true;
  return error_set(error, ERROR_CONFLICT,
                   part ? "%s holds %s but no readable " MANIFEST_NAME
                          ": it lost it, or is not the output of a run; --overwrite starts anew, another "
                          "--out leaves it alone"
                        : "%s holds %s but no readable " MANIFEST_NAME
                          ": it is not the output of a run; give another --out, or empty it",
                   emptiness->out, path);
}

bool layout_check_empty(const char *out, bool overwrite, struct error *error) {
  return layout_visit(out, entry_refuse, &(struct emptiness){out, overwrite}, error);
}

bool layout_check_link(const char *out, const char *name, struct error *error) {
  struct look look;
  char *path = file_join(out, name);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  bool ok = look_at_link(path, &look, error);
  if (ok && look.kind == LOOK_LINK)
    ok = error_set(
        error, ERROR_CONFLICT,
        "%s is a link, and what a run writes and removes there would be elsewhere: remove the link (or "
        "put what it leads to in its place); a link to all of the output folder is fine",
        path);
  free(path);
  return ok;
}

static bool entry_check_link(void *context, const char *name, struct error *error) {
  enum folder folder;
  const bool own = layout_folder_find(name, &folder) || strcmp(name, MANIFEST_NAME) == 0 ||
                   strcmp(name, REPORT_NAME) == 0 || layout_is_lock(name);
  return !own || layout_check_link(context, name, error);
}

bool layout_check_links(const char *out, struct error *error) {
  return folder_visit(out, entry_check_link, (void *)(uintptr_t)out, error);
}

/* A link is removed as a file is: by its name. */
static bool entry_check_file(void *context, const char *path, const char *folder, const char *name,
                             struct error *error) {
  const char *out = context;
  int32_t shard, block;
  struct look look;
  const bool top = *folder == '\0' && (strcmp(name, MANIFEST_NAME) == 0 || strcmp(name, REPORT_NAME) == 0);
  if (!top && !part_name_parse(folder, name, &shard, &block)) return true;
  char *whole = file_join(out, path);
  if (!whole) return error_set_memory(error, PATH_MAX, "a path");
  bool ok = look_at_link(whole, &look, error);
  if (ok && (look.kind == LOOK_FOLDER || look.kind == LOOK_OTHER))
    ok = error_set(error, ERROR_CONFLICT,
                   "%s is %s, where a run has a file: move it away, or give another --out (nothing has been "
                   "removed)",
                   whole, look.kind == LOOK_FOLDER ? "a folder" : "a pipe or a device");
  free(whole);
  return ok;
}

bool layout_check_removable(const char *out, struct error *error) {
  return layout_visit(out, entry_check_file, (void *)(uintptr_t)out, error);
}

struct removal {
  const char *job, *out;
};

/* True for a temporary name of a file in the layout, not of a foreign file. */
static bool name_is_left_over(const char *folder, const char *name) {
  const char *before = *folder ? ".part-" : "." MANIFEST_NAME ".";
  return strncmp(name, before, strlen(before)) == 0 && file_is_temporary(name);
}

static bool entry_remove_left_over(void *context, const char *path, const char *folder, const char *name,
                                   struct error *error) {
  const struct removal *removal = context;
  return !name_is_left_over(folder, name) || job_folder_discard(removal->job, removal->out, path, error);
}

bool layout_remove_left_over(const char *job, const char *out, struct error *error) {
  return layout_visit(out, entry_remove_left_over, &(struct removal){job, out}, error);
}

static bool entry_remove_part(void *context, const char *path, const char *folder, const char *name,
                              struct error *error) {
  const struct removal *removal = context;
  int32_t shard, block;
  return !part_name_parse(folder, name, &shard, &block) ||
         job_folder_discard(removal->job, removal->out, path, error);
}

/* Removes a width's folder, because the next run may have other widths. If it still holds a foreign file, it
 * stays. */
static bool entry_remove_width(void *context, const char *name, struct error *error) {
  const struct removal *removal = context;
  enum folder folder;
  if (!layout_folder_find(name, &folder) || folder != FOLDER_VECTORS) return true;
  return job_folder_discard_empty(removal->job, removal->out, name, error);
}

bool layout_remove_run(const char *job, const char *out, struct error *error) {
  bool ok = false;
  struct look look;
  struct removal removal = {job, out};
  struct layout_walk records = {
      .out = out, .folder = RECORD_FOLDER, .visit = entry_remove_part, .context = &removal};
  char *path = file_join(out, RECORD_FOLDER);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  if (!folder_visit(path, walk_folder_entry, &records, error)) goto out;
  if (!look_at(path, &look, error) || (look.kind == LOOK_FOLDER && !file_sync_folder(path, error))) goto out;
  if (!layout_visit(out, entry_remove_part, &removal, error)) goto out;
  if (!job_folder_discard(job, out, REPORT_NAME, error)) goto out;
  ok = folder_visit(out, entry_remove_width, &removal, error);
out:
  free(path);
  return ok;
}
