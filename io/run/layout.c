#include "io/run/layout.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "io/folder.h"
#include "io/run/job_folder.h"

#define PART_NAME_FORMAT "part-%05ld-%05ld"

bool layout_is_lock(const char *name) {
  return strcmp(name, LOCK_NAME) == 0 || strcmp(name, LOCK_SEEN_NAME) == 0;
}

bool layout_has_folder(const char *name) {
  static const char *const fixed[] = {"ids", "text", "rejects", RECORD_FOLDER};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
    if (strcmp(name, fixed[i]) == 0) return true;
  const size_t digits = name[0] == 'w' ? strspn(name + 1, "0123456789") : 0;
  return digits > 0 && name[1 + digits] == '\0';
}

bool part_path_format(char path[PART_PATH_MAX], const char *folder, int32_t shard, int32_t block,
                      const char *suffix) {
  const int length =
      snprintf(path, PART_PATH_MAX, "%s/" PART_NAME_FORMAT "%s", folder, (long)shard, (long)block, suffix);
  return length < PART_PATH_MAX;
}

bool part_name_parse(const char *name, int32_t *shard, int32_t *block, const char **suffix) {
  long numbers[2];
  int length = 0;
  char spelled[PART_PATH_MAX];
  if (sscanf(name, "part-%10ld-%10ld%n", &numbers[0], &numbers[1], &length) != 2 || length == 0) return false;
  if (numbers[0] < 0 || numbers[0] > INT32_MAX || numbers[1] < 0 || numbers[1] > INT32_MAX) return false;
  /* Spelled back, so that blanks, signs and spare zeros do not pass. */
  if (snprintf(spelled, sizeof spelled, PART_NAME_FORMAT, numbers[0], numbers[1]) != length) return false;
  if (strncmp(name, spelled, (size_t)length) != 0 || name[length] != '.') return false;
  *shard = (int32_t)numbers[0];
  *block = (int32_t)numbers[1];
  *suffix = name + length;
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
  if (!layout_has_folder(name)) return walk->visit(walk->context, name, "", name, error);
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

static bool entry_refuse(void *context, const char *path, const char *folder, const char *name,
                         struct error *error) {
  if (file_is_temporary(name) || (*folder == '\0' && layout_is_lock(name))) return true;
  return error_set(error, ERROR_CONFLICT,
                   "%s holds %s but no " MANIFEST_NAME
                   ": it is not the output of a run; give another --out, or "
                   "empty it",
                   (const char *)context, path);
}

bool layout_check_empty(const char *out, struct error *error) {
  return layout_visit(out, entry_refuse, (void *)out, error);
}

struct removal {
  const char *job, *out;
};

/* A temporary name of a file of the layout, and no stranger's. */
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
  const char *suffix;
  if (*folder == '\0' || !part_name_parse(name, &shard, &block, &suffix)) return true;
  return job_folder_discard(removal->job, removal->out, path, error);
}

/* A width's folder: the next run may have other widths. One that still holds a stranger's file stays. */
static bool entry_remove_width(void *context, const char *name, struct error *error) {
  const struct removal *removal = context;
  if (name[0] != 'w' || !layout_has_folder(name)) return true;
  return job_folder_discard_empty(removal->job, removal->out, name, error);
}

bool layout_remove_run(const char *job, const char *out, struct error *error) {
  bool ok = false;
  struct removal removal = {job, out};
  struct layout_walk records = {
      .out = out, .folder = RECORD_FOLDER, .visit = entry_remove_part, .context = &removal};
  char *path = file_join(out, RECORD_FOLDER);
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  if (!folder_visit(path, walk_folder_entry, &records, error)) goto out;
  if (access(path, F_OK) == 0 && !file_sync_folder(path, error)) goto out;
  if (!layout_visit(out, entry_remove_part, &removal, error)) goto out;
  ok = folder_visit(out, entry_remove_width, &removal, error);
out:
  free(path);
  return ok;
}
