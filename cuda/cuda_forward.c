/* The forward pass of a batch whose ids and offsets are on the card. */
#include <math.h>

#include "cuda/check.h"
#include "cuda/cuda_slot_state.h"

#define ROW_ALIGNMENT 16 /* bytes: kernel_pool needs this alignment for each width's first row */

struct attention_plan cuda_slot_plan(const struct cuda_slot *slot) {
  return attention_plan_make(slot->host_input, slot->sequences, slot->forward->shape.head_size);
}

bool cuda_slot_firsts_only(const struct cuda_slot *slot, int32_t layer) {
  const struct model_shape *shape = &slot->forward->shape;
  return pooling_first_only(&shape->pooling) && layer == shape->layers - 1;
}

bool cuda_slot_embed(struct cuda_slot *slot, struct error *error) {
  slot->rows = slot->tokens;
  const struct cuda_weights *weights = &slot->forward->weights;
  return cuda_check(kernel_embedding(&weights->embedding, &weights->embedding_norm, cuda_slot_ids(slot),
                                     cuda_slot_offsets(slot), slot->sequences, slot->tokens,
                                     slot->forward->shape.hidden, slot->state, slot->stream),
                    error, "the embedding kernel");
}

static bool attend(struct cuda_slot *slot, const struct attention_plan *plan, const uint16_t *qkv,
                   struct error *error) {
  const struct model_shape *shape = &slot->forward->shape;
  return cuda_check(kernel_attention(plan, slot->tiles, qkv, shape->heads, shape->head_size,
                                     1 / sqrtf((float)shape->head_size), slot->context, slot->stream),
                    error, "the attention kernel");
}

static bool normalise(struct cuda_slot *slot, const struct kernel_norm *norm, struct error *error) {
  return cuda_check(kernel_layer_norm(norm, slot->state, slot->rows, slot->forward->shape.hidden, slot->state,
                                      slot->stream),
                    error, "the LayerNorm kernel");
}

static bool multiply(struct cuda_slot *slot, int gemm, const struct cuda_linear *linear, const uint16_t *x,
                     uint16_t *y, struct error *error) {
  return cuda_gemm_run(slot->gemm[gemm], x, linear->weight, linear->bias, slot->rows, y, error);
}

static bool first_rows(struct cuda_slot *slot, const uint16_t *x, uint16_t *y, struct error *error) {
  return cuda_check(kernel_first_rows(x, cuda_slot_offsets(slot), slot->sequences,
                                      slot->forward->shape.hidden, y, slot->stream),
                    error, "the kernel that gathers first tokens");
}

/* Keeps only the rows of the sequences' first tokens in context and state. Context's rows go to the memory of
 * qkv. The state's rows go first to the memory of context, which is free then, and then back to the state. */
static bool firsts_keep(struct cuda_slot *slot, struct error *error) {
  const size_t bytes = (size_t)slot->sequences * (size_t)slot->forward->shape.hidden * sizeof(uint16_t);
  slot->rows = slot->sequences;
  return first_rows(slot, slot->context, slot->scratch, error) &&
         first_rows(slot, slot->state, slot->context, error) &&
         cuda_check(
             cudaMemcpyAsync(slot->state, slot->context, bytes, cudaMemcpyDeviceToDevice, slot->stream),
             error, "copying first tokens");
}

/* The residual is the state itself: the products add it in fp32 and then round the sum to the state. If
 * `firsts_only`, the steps after attention run only for the sequences' first tokens. */
static bool layer_run(struct cuda_slot *slot, const struct cuda_layer *layer,
                      const struct attention_plan *plan, bool firsts_only, struct error *error) {
  uint16_t *const qkv = slot->scratch, *const inner = slot->scratch;
  const uint16_t *const context = firsts_only ? slot->scratch : slot->context;
  return multiply(slot, GEMM_PROJECTION, &layer->projection, slot->state, qkv, error) &&
         attend(slot, plan, qkv, error) && (!firsts_only || firsts_keep(slot, error)) &&
         multiply(slot, GEMM_ATTENTION_OUTPUT, &layer->attention_output, context, slot->state, error) &&
         normalise(slot, &layer->attention_norm, error) &&
         multiply(slot, GEMM_INTERMEDIATE, &layer->intermediate, slot->state, inner, error) &&
         multiply(slot, GEMM_OUTPUT, &layer->output, inner, slot->state, error) &&
         normalise(slot, &layer->output_norm, error);
}

bool cuda_slot_layer(struct cuda_slot *slot, const struct attention_plan *plan, int32_t layer,
                     struct error *error) {
  const struct cuda_layer *weights = &slot->forward->weights.layer[layer];
  return layer_run(slot, weights, plan, cuda_slot_firsts_only(slot, layer), error) ||
         error_prefix(error, "layer %d", layer);
}

bool cuda_slot_pool(struct cuda_slot *slot, bool mean, int32_t prompt_tokens, struct error *error) {
  const struct cuda_forward *forward = slot->forward;
  struct kernel_widths widths = {.count = forward->width_count, .verdicts = slot->verdicts};
  size_t offset = 0;
  for (int32_t w = 0; w < forward->width_count; w++) {
    slot->row_offset[w] = offset;
    widths.width[w] = forward->widths[w];
    widths.rows[w] = (uint16_t *)((char *)slot->scratch + offset);
    offset += (cuda_slot_rows_bytes(slot, w) + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
  }
  return cuda_check(kernel_pool(slot->state, mean ? cuda_slot_offsets(slot) : NULL, slot->sequences,
                                forward->shape.hidden, mean, prompt_tokens, &widths, slot->stream),
                    error, "the pooling kernel");
}
