/* Batches of random ids to measure with, and what they cost. */
#pragma once

#include "host/model/encoder.h"
#include "tests/gpu_check/gpu_check.h"

struct text_batch {
  int32_t *ids, *offsets, sequences, tokens;
  double counted; /* operations of the model, as a model's rate is stated */
  double done;    /* of them, those that are done: CLS pooling leaves out what no row depends on */
};

/* Texts of about `mean` tokens: evenly from half of it to one and a half, or all of it if the model takes no
 * more; as many as batch_tokens holds. */
bool text_batch_make(struct text_batch *batch, const struct model_shape *shape, int32_t batch_tokens,
                     int32_t mean, uint64_t seed, struct error *error);
void text_batch_free(struct text_batch *batch);

struct batch text_batch_packed(const struct text_batch *batch);
