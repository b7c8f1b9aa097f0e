/* How much text the shards hold: an estimate from their sizes and from a look at the first bytes of a few.
 * Cheap, so that every run can afford one. */
#pragma once

#include "io/run/shard.h"

/* Shards of a kind, plain or compressed, that are looked at, spread evenly; and how much text of each. */
#define INPUT_SIZE_LOOKS 16
#define INPUT_SIZE_LOOK_BYTES ((int64_t)1 << 20)

struct input_size {
  double text_bytes; /* of all shards, decompressed */
  double lines;
  double expansion; /* bytes of text for a byte of a compressed shard; 1 if there is none */
};

/* False, with *size zeroed, if there is nothing to go by: standard input, or no shard can be read. A shard
 * that cannot be read counts like the others of its kind. */
bool input_size_estimate(const struct shard *shards, int32_t count, struct input_size *size);

/* Bytes of one shard's text. */
double input_size_of(const struct input_size *size, const struct shard *shard);
