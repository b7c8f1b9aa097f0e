#include "host/job/inputs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"

static bool has_shard_ending(const char *name) {
  static const char *const endings[] = {".jsonl", ".jsonl.gz", ".jsonl.zst"};
  const size_t length = strlen(name);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    const size_t ending = strlen(endings[i]);
    if (length > ending && strcmp(name + length - ending, endings[i]) == 0) return true;
  }
  return false;
}

static bool inputs_add(struct inputs *inputs, const char *path, struct error *error) {
  struct shard *grown = realloc(inputs->shard, (size_t)(inputs->count + 1) * sizeof *grown);
  if (!grown) return error_set_memory(error, sizeof *grown, "the shard list");
  inputs->shard = grown;
  struct shard *shard = &inputs->shard[inputs->count];
  *shard = (struct shard){.path = strdup(path)};
  if (!shard->path) return error_set_memory(error, strlen(path), "a shard's path");
  inputs->count++;
  return shard_examine(shard, error);
}

static int is_shard_entry(const struct dirent *entry) {
  return entry->d_name[0] != '.' && has_shard_ending(entry->d_name);
}

/* By bytes, whatever the locale, so that every machine finds the same order. */
static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static bool inputs_add_folder(struct inputs *inputs, const char *folder, struct error *error) {
  struct dirent **entry;
  const int count = scandir(folder, &entry, is_shard_entry, by_name);
  if (count < 0) return error_set_errno(error, "cannot read the folder %s", folder);
  bool added = count > 0;
  if (!added)
    error_set(error, ERROR_USAGE,
              "%s holds no .jsonl, .jsonl.gz or .jsonl.zst file (its subfolders are not searched)", folder);
  for (int i = 0; i < count; i++) {
    char *path = added ? file_join(folder, entry[i]->d_name) : NULL;
    if (added && !path) added = error_set_memory(error, strlen(folder), "a path");
    added = added && inputs_add(inputs, path, error);
    free(path);
    free(entry[i]);
  }
  free(entry);
  return added;
}

static bool inputs_add_path(struct inputs *inputs, const char *path, struct error *error) {
  struct stat status;
  if (strcmp(path, "-") == 0) return inputs_add(inputs, path, error);
  if (stat(path, &status) != 0)
    return errno == ENOENT || errno == ENOTDIR ? error_set(error, ERROR_USAGE, "there is no input %s", path)
                                               : error_set_errno(error, "cannot read the input %s", path);
  if (S_ISDIR(status.st_mode)) return inputs_add_folder(inputs, path, error);
  if (!S_ISREG(status.st_mode))
    return error_set(error, ERROR_USAGE,
                     "%s is neither a regular file nor a folder; pass a pipe's content as standard input: -",
                     path);
  if (!has_shard_ending(path))
    return error_set(
        error, ERROR_USAGE,
        "%s does not end in .jsonl, .jsonl.gz or .jsonl.zst; rename it, or pass it as standard input: - < %s",
        path, path);
  return inputs_add(inputs, path, error);
}

bool inputs_open(const char *const *input, int32_t count, struct inputs *inputs, struct error *error) {
  *inputs = (struct inputs){0};
  if (count == 0)
    return error_set(error, ERROR_USAGE,
                     "no INPUT given: name .jsonl files, folders of them, or - for standard input");
  for (int32_t i = 0; i < count; i++) {
    if (strcmp(input[i], "-") == 0 && count > 1)
      return error_set(error, ERROR_USAGE, "- (standard input) cannot stand beside other inputs");
    if (!inputs_add_path(inputs, input[i], error)) {
      inputs_free(inputs);
      return false;
    }
  }
  return true;
}

void inputs_free(struct inputs *inputs) {
  for (int32_t i = 0; i < inputs->count; i++) free(inputs->shard[i].path);
  free(inputs->shard);
  *inputs = (struct inputs){0};
}
