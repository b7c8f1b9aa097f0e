/* Some rows of many, chosen by a hash of their places: the same ones in whatever order they come, long and
 * short ones as often as they are there. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct sampled_row {
  uint64_t key; /* the hash */
  int32_t shard;
  int32_t tokens;
  int64_t offset; /* of its line in the shard's text */
  int32_t *ids;   /* [tokens], owned */
};

/* Zeroed but for `budget` at first. */
struct row_sample {
  int64_t budget; /* tokens: rows are kept until they have so many together, and the last one may go beyond */
  struct sampled_row *row;
  int64_t count, capacity, tokens;
  bool full;         /* rows have been left out */
  uint64_t last_key; /* the largest of those that were kept then */
};

/* Takes a copy of the row's ids, or leaves the row out. */
bool row_sample_add(struct row_sample *sample, int32_t shard, int64_t offset, const int32_t *ids,
                    int32_t tokens, struct error *error);

/* Leaves out what is beyond the budget; for when all rows have been added. */
void row_sample_trim(struct row_sample *sample);
void row_sample_free(struct row_sample *sample);
