/* Times a slot's products (cuda/gemm_tuning.h) on the slot's own memory and layer 0's weights. */
#include <stdlib.h>

#include "cuda/check.h"
#include "cuda/cuda_slot_state.h"
#include "cuda/gemm_tuning.h"

#define TEXT_TOKENS 64
#define STRIDE 7919 /* a prime, so that the ids come from all parts of the word table */

/* Runs one batch with made-up texts, as large as a batch may be. The slot's memory then holds numbers as
 * large as in a real run. How large the numbers are matters: larger numbers change the card's power, and so
 * the card's speed. The rows are not used. */
static bool memory_fill(struct cuda_slot *slot, struct error *error) {
  const struct model_shape *shape = &slot->forward->shape;
  const int32_t tokens = slot->forward->batch_tokens, room = shape->positions - shape->first_position;
  const int32_t each = room < TEXT_TOKENS ? room : TEXT_TOKENS, sequences = (tokens + each - 1) / each;
  int32_t *ids = malloc((size_t)tokens * sizeof *ids);
  int32_t *offsets = malloc(((size_t)sequences + 1) * sizeof *offsets);
  bool ok = ids && offsets;
  if (!ok) error_set_memory(error, (size_t)tokens * sizeof *ids, "the texts that products are timed with");
  for (int32_t t = 0; ok && t < tokens; t++) ids[t] = (int32_t)((int64_t)t * STRIDE % shape->vocabulary);
  for (int32_t s = 0; ok && s <= sequences; s++) offsets[s] = s < sequences ? s * each : tokens;
  ok = ok && cuda_slot_submit(slot, &(struct batch){ids, offsets, sequences, 0}, error) &&
       cuda_check(cudaEventSynchronize(slot->done), error, "running a batch of made-up texts");
  slot->submitted = false;
  free(offsets);
  free(ids);
  return ok;
}

bool cuda_slot_tune(struct cuda_slot *slot, json_t *products, struct error *error) {
  const struct cuda_layer *layer = &slot->forward->weights.layer[0];
  const struct cuda_linear *weights[GEMMS] = {&layer->projection, &layer->attention_output,
                                              &layer->intermediate, &layer->output};
  const uint16_t *x[GEMMS] = {slot->state, slot->context, slot->state, slot->scratch};
  uint16_t *y[GEMMS] = {slot->scratch, slot->state, slot->scratch, slot->state};
  if (!memory_fill(slot, error)) return false;
  for (int i = 0; i < GEMMS; i++) {
    const struct gemm_operands operands = {x[i], weights[i]->weight, weights[i]->bias, y[i]};
    /* Makes a new state, because products add to the old one. */
    if (!cuda_slot_embed(slot, error) ||
        !gemm_tuning_time(slot->gemm[i], &operands, slot->stream, products, error))
      return false;
  }
  return true;
}

bool cuda_slot_use_tuning(struct cuda_slot *slot, const json_t *products, struct error *error) {
  for (int i = 0; i < GEMMS; i++)
    if (!gemm_tuning_use(slot->gemm[i], products, error)) return false;
  return true;
}
