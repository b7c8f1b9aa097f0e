#include "tests/gpu_check/text_batch.h"

#include <stdlib.h>

/* Operations for one token's products in a layer; `after`: only the products after attention. */
static double products_of(const struct model_shape *shape, bool after) {
  const double hidden = shape->hidden, ffn = shape->ffn;
  return 2 * ((after ? 1 : 4) * hidden * hidden + 2 * hidden * ffn);
}

/* A text costs its products, and in attention 4 · length · hidden for each layer and token. */
static void operations_add(struct text_batch *batch, const struct model_shape *shape, int32_t length) {
  const double attention = 4.0 * length * shape->hidden;
  const double all = length * shape->layers * (products_of(shape, false) + attention);
  batch->counted += all;
  batch->done += all;
  if (pooling_first_only(&shape->pooling)) batch->done -= (length - 1) * products_of(shape, true);
}

bool text_batch_make(struct text_batch *batch, const struct model_shape *shape, int32_t batch_tokens,
                     int32_t mean, uint64_t seed, struct error *error) {
  const size_t most = (size_t)batch_tokens;
  *batch = (struct text_batch){.ids = malloc(most * sizeof(int32_t)),
                               .offsets = malloc((most + 1) * sizeof(int32_t))};
  if (!batch->ids || !batch->offsets) return error_set_memory(error, most * sizeof(int32_t), "a batch");
  batch->offsets[0] = 0;
  for (;;) {
    int32_t length = mean / 2 + (int32_t)(random_next(&seed) % (uint64_t)(mean + 1));
    if (mean + mean / 2 > shape->max_tokens) length = mean;
    if (length < 1) length = 1;
    if (batch->tokens + length > batch_tokens) break;
    batch->tokens += length;
    operations_add(batch, shape, length);
    batch->offsets[++batch->sequences] = batch->tokens;
  }
  for (int32_t t = 0; t < batch->tokens; t++)
    batch->ids[t] = (int32_t)(random_next(&seed) % (uint64_t)shape->vocabulary);
  return true;
}

void text_batch_free(struct text_batch *batch) {
  free(batch->ids);
  free(batch->offsets);
}

struct batch text_batch_packed(const struct text_batch *batch) {
  return (struct batch){batch->ids, batch->offsets, batch->sequences, 0};
}
