/* Estimates how much text the shards hold, from their sizes and the first bytes of a few shards. Cheap enough
 * for every run. */
#pragma once

#include "io/run/shard.h"

/* Shards to look at, evenly spread, for each kind (plain, compressed), and bytes of text from each. */
#define INPUT_SIZE_LOOKS 16
#define INPUT_SIZE_LOOK_BYTES ((int64_t)1 << 20)

struct input_size {
  double text_bytes; /* all shards, decompressed */
  double lines;
  double expansion; /* bytes of text per byte of compressed shard; 1 if no shard is compressed */
};

/* Returns false and zeroes *size if no estimate is possible: standard input, or no readable shard. An
 * unreadable shard is estimated like the others of its kind. */
bool input_size_estimate(const struct shard *shards, int32_t count, struct input_size *size);

/* Estimated bytes of text in one shard. */
double input_size_of(const struct input_size *size, const struct shard *shard);
