/* The user's INPUT arguments as a list of shards. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/run/shard.h"

#define PASSED_OVER_NAMED 3

/* Entries in the folders that are not shards; hidden files do not count. */
struct passed_over {
  int32_t count;
  char names[SENTENCE_BYTES]; /* first PASSED_OVER_NAMED paths, with commas; a folder's path ends in / */
};

struct inputs {
  struct shard *shard; /* paths owned */
  int32_t count;
  struct passed_over passed_over;
};

/* Files keep the user's order. A folder gives its files with a shard's ending (host/job/shard_ending.h),
 * sorted by name, without subfolders. "-" is standard input. Every shard is examined (size, fingerprint).
 * OUT itself (NULL: none) is passed over in a folder. Errors: an INPUT does not exist, a folder has no
 * shards, "-" is not the only INPUT, a file has another ending, a shard is named twice, its path is not
 * UTF-8, or one lies in OUT, whose files the run replaces and removes. */
bool inputs_open(const char *const *input, int32_t count, const char *out, struct inputs *inputs,
                 struct error *error);

/* ERROR_USAGE if an input's path, past all links, lies in the folder OUT. */
bool input_check_apart(const char *path, const char *out, struct error *error);
void inputs_free(struct inputs *inputs);
