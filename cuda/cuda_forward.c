/* The forward pass for a batch whose ids and offsets are on the card. */
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

/* Keeps only each sequence's first row in context and state. Context's rows go to qkv's memory. The state's
 * rows go first to context's memory, which is free by then, and then back to the state. */
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

int32_t cuda_forward_columns(const struct cuda_forward *forward) {
  const struct pooling *pooling = &forward->shape.pooling;
  int32_t most = forward->shape.hidden * pooling->count;
  if (forward->dense_count == 0 && pooling->count == 1 &&
      (pooling->mode[0] == POOLING_CLS || pooling->mode[0] == POOLING_MEAN))
    return 0;
  for (int32_t d = 0; d < forward->dense_count; d++)
    if (forward->dense[d].outputs > most) most = forward->dense[d].outputs;
  return most;
}

/* Gives all widths' rows a place in scratch, one width after the other. */
static void widths_lay(struct cuda_slot *slot, const int32_t *list, int32_t count,
                       struct kernel_widths *widths) {
  size_t offset = 0;
  *widths = (struct kernel_widths){.count = count, .verdicts = slot->verdicts};
  for (int32_t w = 0; w < count; w++) {
    const size_t bytes = (size_t)slot->sequences * (size_t)list[w] * sizeof(uint16_t);
    slot->row_offset[w] = offset;
    widths->width[w] = list[w];
    widths->rows[w] = (uint16_t *)((char *)slot->scratch + offset);
    offset += (bytes + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
  }
}

static bool widths_compute(struct cuda_slot *slot, const struct cuda_rows *rows, int32_t prompt_tokens,
                           const struct kernel_widths *widths, struct error *error) {
  return cuda_check(kernel_pool(rows->rows, rows->mean ? cuda_slot_offsets(slot) : NULL, slot->sequences,
                                rows->columns, rows->mean, prompt_tokens, widths, slot->stream),
                    error, "the pooling kernel");
}

bool cuda_slot_judge(struct cuda_slot *slot, const struct cuda_rows *rows, struct error *error) {
  const struct cuda_forward *forward = slot->forward;
  const int32_t whole = rows->columns < KERNEL_WIDTH_MAX ? rows->columns : KERNEL_WIDTH_MAX;
  const bool fused = cuda_forward_columns(forward) == 0;
  struct kernel_widths widths;
  widths_lay(slot, fused ? forward->widths : &whole, fused ? forward->width_count : 1, &widths);
  return widths_compute(slot, rows, 0, &widths, error);
}

/* If the model pools first tokens only, the state already holds just the pooled rows. */
bool cuda_slot_pool_modes(struct cuda_slot *slot, int32_t prompt_tokens, struct cuda_rows *rows,
                          struct error *error) {
  const struct model_shape *shape = &slot->forward->shape;
  const bool first_only = pooling_first_only(&shape->pooling);
  *rows = (struct cuda_rows){first_only ? slot->state : slot->pooled[0], shape->hidden * shape->pooling.count,
                             false};
  return first_only ||
         cuda_check(kernel_pool_modes(slot->state, cuda_slot_offsets(slot), slot->sequences, shape->hidden,
                                      &shape->pooling, prompt_tokens, slot->pooled[0], slot->stream),
                    error, "the kernel that pools in several modes");
}

bool cuda_slot_dense(struct cuda_slot *slot, int32_t module, struct cuda_rows *rows, struct error *error) {
  const struct cuda_forward *forward = slot->forward;
  const struct dense_config *dense = &forward->dense[module];
  const struct cuda_linear *linear = &forward->weights.dense[module];
  uint16_t *const to = rows->rows == slot->pooled[0] ? slot->pooled[1] : slot->pooled[0];
  const bool done =
      cuda_gemm_run(slot->dense[module], rows->rows, linear->weight, linear->bias, slot->sequences, to,
                    error) &&
      (dense->activation == ACTIVATION_IDENTITY ||
       cuda_check(kernel_activate(dense->activation, slot->sequences, dense->outputs, to, slot->stream),
                  error, "the activation kernel"));
  *rows = (struct cuda_rows){to, dense->outputs, false};
  return done || error_prefix(error, "Dense module %d", module);
}

bool cuda_slot_pool(struct cuda_slot *slot, int32_t prompt_tokens, struct error *error) {
  const struct cuda_forward *forward = slot->forward;
  const struct model_shape *shape = &forward->shape;
  const bool fused = cuda_forward_columns(forward) == 0;
  struct cuda_rows rows = {slot->state, shape->hidden, !pooling_first_only(&shape->pooling)};
  struct kernel_widths widths;
  if (!fused && !cuda_slot_pool_modes(slot, prompt_tokens, &rows, error)) return false;
  for (int32_t d = 0; d < forward->dense_count; d++)
    if (!cuda_slot_dense(slot, d, &rows, error)) return false;
  widths_lay(slot, forward->widths, forward->width_count, &widths);
  return widths_compute(slot, &rows, fused ? prompt_tokens : 0, &widths, error);
}
