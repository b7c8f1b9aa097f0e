/* A sample of rows, chosen by a hash of each row's place. The order of arrival does not change the sample,
 * and long and short rows keep their shares. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct sampled_row {
  uint64_t key; /* the hash */
  int32_t shard;
  int32_t tokens;
  int64_t offset; /* line's offset in the shard's text */
  int32_t *ids;   /* [tokens], owned */
};

/* Set `budget` and zero the rest before use. */
struct row_sample {
  int64_t budget; /* tokens to keep; the last row may exceed the budget */
  struct sampled_row *row;
  int64_t count, capacity, tokens;
  bool full;         /* rows have been left out */
  uint64_t last_key; /* largest kept key when rows were last left out */
};

/* Copies the row's ids, or leaves the row out. */
bool row_sample_add(struct row_sample *sample, int32_t shard, int64_t offset, const int32_t *ids,
                    int32_t tokens, struct error *error);

/* Leaves out rows beyond the budget. Call once all rows are added. */
void row_sample_trim(struct row_sample *sample);
void row_sample_free(struct row_sample *sample);
