/* Batches of random ids for measurements, and their cost. */
#pragma once

#include "host/model/encoder.h"
#include "tests/gpu_check/gpu_check.h"

struct text_batch {
  int32_t *ids, *offsets, sequences, tokens;
  double counted; /* the model's operations, as rates are usually stated */
  double done;    /* operations really done: CLS pooling skips those that no row depends on */
};

/* Makes texts with about `mean` tokens each: lengths evenly from half to one and a half times `mean`, or
 * exactly `mean` if the model takes no more. As many texts as fit in batch_tokens. */
bool text_batch_make(struct text_batch *batch, const struct model_shape *shape, int32_t batch_tokens,
                     int32_t mean, uint64_t seed, struct error *error);
void text_batch_free(struct text_batch *batch);

struct batch text_batch_packed(const struct text_batch *batch);
