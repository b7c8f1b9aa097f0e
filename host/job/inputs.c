#include "host/job/inputs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job/shard_ending.h"
#include "io/file.h"
#include "io/json_text.h"
#include "io/look.h"

/* A manifest, and the records of rejects, hold a path as JSON. */
static bool inputs_add(struct inputs *inputs, const char *path, struct error *error) {
  if (!json_text_can_hold(path))
    return error_set(error, ERROR_USAGE, "shard %d (%s): its path is not valid UTF-8: rename it",
                     inputs->count, path);
  struct shard *grown = realloc(inputs->shard, (size_t)(inputs->count + 1) * sizeof *grown);
  if (!grown) return error_set_memory(error, sizeof *grown, "the shard list");
  inputs->shard = grown;
  struct shard *shard = &inputs->shard[inputs->count];
  *shard = (struct shard){.path = strdup(path)};
  if (!shard->path) return error_set_memory(error, strlen(path), "a shard's path");
  inputs->count++;
  return shard_examine(shard, error);
}

/* Hidden files are never input. */
static int is_seen(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

/* Compares bytes and ignores the locale, so every machine gets the same order. */
static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_folder(const char *path, struct look *look) {
  struct error unused;
  return look_at(path, look, &unused) && look->kind == LOOK_FOLDER;
}

/* Counts a folder's entry that is not a shard, and keeps the first few names. */
static void inputs_pass_over(struct inputs *inputs, const char *path) {
  struct passed_over *passed = &inputs->passed_over;
  struct look look;
  const bool folder = is_folder(path, &look);
  const size_t used = strlen(passed->names);
  if (passed->count < PASSED_OVER_NAMED)
    snprintf(passed->names + used, sizeof passed->names - used, "%s%s%s", passed->count ? ", " : "", path,
             folder ? "/" : "");
  passed->count++;
}

/* OUT may be named like a shard. */
static bool is_out(const char *path, const char *out) {
  struct look entry, folder;
  return out && is_folder(path, &entry) && is_folder(out, &folder) && look_is_same(&entry, &folder);
}

static bool inputs_add_entry(struct inputs *inputs, const char *folder, const char *name, const char *out,
                             struct error *error) {
  char *path = file_join(folder, name);
  if (!path) return error_set_memory(error, strlen(folder), "a path");
  const bool fits = shard_ending_fits(name) && !is_out(path, out);
  if (!fits) inputs_pass_over(inputs, path);
  const bool added = !fits || inputs_add(inputs, path, error);
  free(path);
  return added;
}

static bool inputs_add_folder(struct inputs *inputs, const char *folder, const char *out,
                              struct error *error) {
  struct dirent **entry;
  const int count = scandir(folder, &entry, is_seen, by_name);
  const int32_t before = inputs->count;
  bool added = true;
  if (count < 0) return error_set_errno(error, "cannot read the folder %s", folder);
  for (int i = 0; i < count; i++) {
    added = added && inputs_add_entry(inputs, folder, entry[i]->d_name, out, error);
    free(entry[i]);
  }
  free(entry);
  if (!added || inputs->count > before) return added;
  return error_set(error, ERROR_USAGE,
                   "%s holds no " SHARD_ENDINGS " file (its subfolders are not searched)%s%s", folder,
                   inputs->passed_over.count ? "; it holds " : "", inputs->passed_over.names);
}

static bool inputs_add_path(struct inputs *inputs, const char *path, const char *out, struct error *error) {
  struct look look;
  if (strcmp(path, "-") == 0) return inputs_add(inputs, path, error);
  if (!look_at(path, &look, error)) return false;
  if (look.kind == LOOK_NOTHING) return error_set(error, ERROR_USAGE, "there is no input %s", path);
  if (look.kind == LOOK_FOLDER) return inputs_add_folder(inputs, path, out, error);
  if (look.kind != LOOK_FILE)
    return error_set(error, ERROR_USAGE,
                     "%s is neither a regular file nor a folder; pass a pipe's content as standard input: -",
                     path);
  if (!shard_ending_fits(path)) {
    char advice[SENTENCE_BYTES];
    shard_ending_advise(path, advice, sizeof advice);
    return error_set(error, ERROR_USAGE, "%s does not end in " SHARD_ENDINGS "; %s", path, advice);
  }
  return inputs_add(inputs, path, error);
}

/* The identity of a shard's path: its folder, in any spelling, and its name in the folder. Two links to one
 * file are two shards, since the user may want both. */
struct place {
  const char *path, *name;
  uint64_t device, folder;
};

static bool place_of(const char *path, struct place *place, struct error *error) {
  const char *slash = strrchr(path, '/');
  char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
  struct look look = {0};
  if (!folder) return error_set_memory(error, strlen(path), "a path");
  const bool found = look_at(folder, &look, error);
  free(folder);
  *place = (struct place){path, slash ? slash + 1 : path, look.device, look.inode};
  return found;
}

static int by_place(const void *left, const void *right) {
  const struct place *a = left, *b = right;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  if (a->folder != b->folder) return a->folder < b->folder ? -1 : 1;
  return strcmp(a->name, b->name);
}

static bool inputs_check_twice(const struct inputs *inputs, struct error *error) {
  struct place *place = malloc((size_t)inputs->count * sizeof *place);
  bool fine = place || error_set_memory(error, (size_t)inputs->count * sizeof *place, "the shard list");
  for (int32_t i = 0; fine && i < inputs->count; i++)
    fine = place_of(inputs->shard[i].path, &place[i], error);
  if (fine) qsort(place, (size_t)inputs->count, sizeof *place, by_place);
  for (int32_t i = 1; fine && i < inputs->count; i++)
    if (by_place(&place[i - 1], &place[i]) == 0)
      fine = error_set(error, ERROR_USAGE,
                       "%s is named twice among the INPUTs (the other time as %s): its documents would be "
                       "embedded twice; name it once",
                       place[i].path, place[i - 1].path);
  free(place);
  return fine;
}

bool input_check_apart(const char *path, const char *out, struct error *error) {
  bool inside;
  if (!look_lies_in(path, out, &inside, error)) return false;
  return !inside ||
         error_set(
             error, ERROR_USAGE,
             "the INPUT %s lies in %s, where the run writes and removes files: give another --out, or move "
             "the file out of there first",
             path, out);
}

/* Whether both paths name the same folder in the same words. */
static bool folders_equal(const char *a, const char *b) {
  const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
  const size_t length = slash_a ? (size_t)(slash_a - a) + 1 : 0;
  return length == (slash_b ? (size_t)(slash_b - b) + 1 : 0) && memcmp(a, b, length) == 0;
}

/* Of the shards of one folder that are no links themselves, one is asked for. */
static bool inputs_check_apart(const struct inputs *inputs, const char *out, struct error *error) {
  const char *asked = NULL;
  for (int32_t i = 0; out && i < inputs->count; i++) {
    const char *path = inputs->shard[i].path;
    struct look look;
    if (strcmp(path, "-") == 0) continue;
    if (!look_at_link(path, &look, error)) return false;
    const bool link = look.kind == LOOK_LINK;
    if (!link && asked && folders_equal(asked, path)) continue;
    if (!input_check_apart(path, out, error)) return false;
    if (!link) asked = path;
  }
  return true;
}

bool inputs_open(const char *const *input, int32_t count, const char *out, struct inputs *inputs,
                 struct error *error) {
  *inputs = (struct inputs){0};
  if (count == 0)
    return error_set(error, ERROR_USAGE,
                     "no INPUT given: name .jsonl files, folders of them, or - for standard input");
  for (int32_t i = 0; i < count; i++) {
    if (strcmp(input[i], "-") == 0 && count > 1)
      return error_set(error, ERROR_USAGE, "- (standard input) cannot stand beside other inputs");
    if (!inputs_add_path(inputs, input[i], out, error)) goto failed;
  }
  if (inputs_check_twice(inputs, error) && inputs_check_apart(inputs, out, error)) return true;
failed:
  inputs_free(inputs);
  return false;
}

void inputs_free(struct inputs *inputs) {
  for (int32_t i = 0; i < inputs->count; i++) free(inputs->shard[i].path);
  free(inputs->shard);
  *inputs = (struct inputs){0};
}
