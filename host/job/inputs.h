/* What the user named as INPUT, as a list of shards. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/run/shard.h"

struct inputs {
  struct shard *shard; /* paths owned */
  int32_t count;
};

/* Files stand as given; a folder gives its .jsonl, .jsonl.gz and .jsonl.zst files, sorted by name, without
 * its subfolders; "-" is standard input. Every shard is examined (size, fingerprint). Errors: an INPUT that
 * is not there, a folder without shards, "-" beside others or twice, and a file whose name has another ending
 * (rename it, or pass it through standard input). */
bool inputs_open(const char *const *input, int32_t count, struct inputs *inputs, struct error *error);
void inputs_free(struct inputs *inputs);
