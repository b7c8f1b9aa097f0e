/* What the user named as INPUT, as a list of shards. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/run/shard.h"

#define PASSED_OVER_NAMED 3

/* What the folders hold beside shards; hidden files do not count. */
struct passed_over {
  int32_t count;
  char names[640]; /* the first PASSED_OVER_NAMED paths, with commas; a folder's ends in / */
};

struct inputs {
  struct shard *shard; /* paths owned */
  int32_t count;
  struct passed_over passed_over;
};

/* Files stand as given; a folder gives the files that end like shards (host/job/shard_ending.h), sorted by
 * name, without its subfolders; "-" is standard input. Every shard is examined (size, fingerprint). Errors:
 * an INPUT that is not there, a folder without shards, "-" beside others or twice, a file whose name has
 * another ending, and a shard that is named twice. */
bool inputs_open(const char *const *input, int32_t count, struct inputs *inputs, struct error *error);
void inputs_free(struct inputs *inputs);
