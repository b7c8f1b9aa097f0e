#include "cuda/cuda_slot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/gemm.h"

#define ALIGNMENT 256 /* what cuBLASLt's fastest algorithms ask of a matrix */
#define ROW_ALIGNMENT 16

enum { GEMM_PROJECTION, GEMM_ATTENTION_OUTPUT, GEMM_INTERMEDIATE, GEMM_OUTPUT, GEMMS };

struct cuda_slot {
  const struct cuda_forward *forward;
  cudaStream_t stream;
  cudaEvent_t done;
  struct cuda_blas *blas;
  struct cuda_gemm *gemm[GEMMS];

  /* On the card, in one allocation. `scratch` is, in turn, qkv [tokens, 3, heads, head_size] and context
   * [tokens, hidden]; inner [tokens, ffn]; and the rows of all widths. Context has a place of its own there,
   * since cuBLASLt wants it aligned. */
  char *arena;
  int32_t *input; /* offsets [sequences + 1], ids [tokens] */
  struct attention_tile *tiles;
  uint16_t *state; /* [tokens, hidden] */
  uint16_t *scratch, *context;

  /* Pinned memory of the host. */
  int32_t *host_input;
  char *host_rows;

  /* The batch under way. */
  bool submitted;
  int32_t sequences, tokens;
  int32_t rows;                  /* of the state: tokens, or at the end of a CLS model sequences */
  size_t row_offset[WIDTHS_MAX]; /* where each width's rows begin, in scratch and in host_rows: bytes */
};

static size_t align_up(size_t bytes, size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

static size_t widths_sum(const struct cuda_forward *forward) {
  size_t sum = 0;
  for (int32_t w = 0; w < forward->width_count; w++) sum += (size_t)forward->widths[w];
  return sum;
}

/* --- Memory --------------------------------------------------------------------------------------------- */

/* The parts of a slot's device memory: bytes of each. */
struct slot_sizes {
  size_t workspace, input, tiles, state, qkv, scratch;
};

/* A sequence has a token at least, so there are no more sequences than tokens. */
static struct slot_sizes slot_measure(const struct cuda_forward *forward) {
  const size_t tokens = (size_t)forward->batch_tokens, hidden = (size_t)forward->shape.hidden;
  const size_t tiles = (size_t)attention_tiles_max(forward->batch_tokens, forward->batch_tokens);
  const size_t columns =
      widths_sum(forward) > (size_t)forward->shape.ffn ? widths_sum(forward) : (size_t)forward->shape.ffn;
  const size_t state = align_up(tokens * hidden * sizeof(uint16_t), ALIGNMENT);
  const size_t qkv = align_up(3 * tokens * hidden * sizeof(uint16_t), ALIGNMENT);
  const size_t wide = align_up(tokens * columns * sizeof(uint16_t), ALIGNMENT) + WIDTHS_MAX * ROW_ALIGNMENT;
  return (struct slot_sizes){.workspace = CUDA_BLAS_WORKSPACE,
                             .input = align_up((2 * tokens + 1) * sizeof(int32_t), ALIGNMENT),
                             .tiles = align_up(tiles * sizeof(struct attention_tile), ALIGNMENT),
                             .state = state,
                             .qkv = qkv,
                             .scratch = qkv + state > wide ? qkv + state : wide};
}

size_t cuda_slot_bytes(const struct cuda_forward *forward) {
  const struct slot_sizes sizes = slot_measure(forward);
  return sizes.workspace + sizes.input + sizes.tiles + sizes.state + sizes.scratch;
}

static bool slot_allocate(struct cuda_slot *slot, struct error *error) {
  const struct cuda_forward *forward = slot->forward;
  const struct slot_sizes sizes = slot_measure(forward);
  const size_t bytes = cuda_slot_bytes(forward);
  const size_t rows =
      (size_t)forward->batch_tokens * widths_sum(forward) * sizeof(uint16_t) + WIDTHS_MAX * ROW_ALIGNMENT;
  if (!cuda_check(cudaMalloc((void **)&slot->arena, bytes), error,
                  "%zu bytes on the card for a batch of %d tokens (a smaller --batch-tokens needs less)",
                  bytes, forward->batch_tokens) ||
      !cuda_check(cudaMallocHost((void **)&slot->host_input, sizes.input), error,
                  "%zu bytes of pinned memory for token ids", sizes.input) ||
      !cuda_check(cudaMallocHost((void **)&slot->host_rows, rows), error,
                  "%zu bytes of pinned memory for the rows of a batch (a smaller --batch-tokens needs less)",
                  rows))
    return false;
  slot->input = (int32_t *)(slot->arena + sizes.workspace);
  slot->tiles = (struct attention_tile *)((char *)slot->input + sizes.input);
  slot->state = (uint16_t *)((char *)slot->tiles + sizes.tiles);
  slot->scratch = (uint16_t *)((char *)slot->state + sizes.state);
  slot->context = (uint16_t *)((char *)slot->scratch + sizes.qkv);
  return true;
}

static bool gemms_open(struct cuda_slot *slot, struct error *error) {
  const int32_t hidden = slot->forward->shape.hidden, ffn = slot->forward->shape.ffn;
  const struct cuda_gemm_shape shapes[GEMMS] = {
      [GEMM_PROJECTION] = {3 * hidden, hidden, CUDA_GEMM_BIAS},
      [GEMM_ATTENTION_OUTPUT] = {hidden, hidden, CUDA_GEMM_BIAS_ADD},
      [GEMM_INTERMEDIATE] = {ffn, hidden, CUDA_GEMM_BIAS_GELU},
      [GEMM_OUTPUT] = {hidden, ffn, CUDA_GEMM_BIAS_ADD},
  };
  slot->blas = cuda_blas_open(slot->stream, slot->arena, error);
  if (!slot->blas) return false;
  for (int i = 0; i < GEMMS; i++) {
    slot->gemm[i] = cuda_gemm_open(slot->blas, &shapes[i], slot->forward->batch_tokens, error);
    if (!slot->gemm[i]) return false;
  }
  return true;
}

struct cuda_slot *cuda_slot_open(const struct cuda_forward *forward, struct error *error) {
  struct cuda_slot *slot = calloc(1, sizeof *slot);
  if (!slot) {
    error_set_memory(error, sizeof *slot, "a slot");
    return NULL;
  }
  slot->forward = forward;
  /* The waiting thread sleeps: the tokenizers need its core. */
  const unsigned int event_flags = cudaEventDisableTiming | cudaEventBlockingSync;
  if (cuda_check(cudaStreamCreateWithFlags(&slot->stream, cudaStreamNonBlocking), error, "making a stream") &&
      cuda_check(cudaEventCreateWithFlags(&slot->done, event_flags), error, "making an event") &&
      slot_allocate(slot, error) && gemms_open(slot, error))
    return slot;
  cuda_slot_close(slot);
  return NULL;
}

void cuda_slot_close(struct cuda_slot *slot) {
  if (!slot) return;
  if (slot->stream) cudaStreamSynchronize(slot->stream);
  for (int i = 0; i < GEMMS; i++) cuda_gemm_close(slot->gemm[i]);
  cuda_blas_close(slot->blas);
  if (slot->arena) cudaFree(slot->arena);
  if (slot->host_input) cudaFreeHost(slot->host_input);
  if (slot->host_rows) cudaFreeHost(slot->host_rows);
  if (slot->done) cudaEventDestroy(slot->done);
  if (slot->stream) cudaStreamDestroy(slot->stream);
  free(slot);
}

/* --- One batch ------------------------------------------------------------------------------------------ */

static const int32_t *device_offsets(const struct cuda_slot *slot) {
  return slot->input;
}
static const int32_t *device_ids(const struct cuda_slot *slot) {
  return slot->input + slot->sequences + 1;
}

/* Offsets and ids lie end to end, here and there, and go up in one copy. */
static bool input_send(struct cuda_slot *slot, const struct batch *batch, struct error *error) {
  const size_t offsets = (size_t)slot->sequences + 1, ids = (size_t)slot->tokens;
  memcpy(slot->host_input, batch->offsets, offsets * sizeof(int32_t));
  memcpy(slot->host_input + offsets, batch->ids, ids * sizeof(int32_t));
  return cuda_check(cudaMemcpyAsync(slot->input, slot->host_input, (offsets + ids) * sizeof(int32_t),
                                    cudaMemcpyHostToDevice, slot->stream),
                    error, "copying token ids to the card");
}

static bool embed(struct cuda_slot *slot, struct error *error) {
  const struct cuda_weights *weights = &slot->forward->weights;
  return cuda_check(
      kernel_embedding(&weights->embedding, &weights->embedding_norm, device_ids(slot), device_offsets(slot),
                       slot->sequences, slot->tokens, slot->forward->shape.hidden, slot->state, slot->stream),
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
  return cuda_check(kernel_first_rows(x, device_offsets(slot), slot->sequences, slot->forward->shape.hidden,
                                      y, slot->stream),
                    error, "the kernel that gathers first tokens");
}

/* Leaves of context and state the rows of the sequences' first tokens. Context's go to where qkv was, and the
 * state's take the way over the place that context leaves. */
static bool firsts_keep(struct cuda_slot *slot, struct error *error) {
  const size_t bytes = (size_t)slot->sequences * (size_t)slot->forward->shape.hidden * sizeof(uint16_t);
  slot->rows = slot->sequences;
  return first_rows(slot, slot->context, slot->scratch, error) &&
         first_rows(slot, slot->state, slot->context, error) &&
         cuda_check(
             cudaMemcpyAsync(slot->state, slot->context, bytes, cudaMemcpyDeviceToDevice, slot->stream),
             error, "copying first tokens");
}

/* The products add the residual, which is the state itself, in fp32 before they round to it. With
 * `firsts_only` what follows attention is done for the sequences' first tokens alone. */
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

static size_t rows_bytes(const struct cuda_slot *slot, int32_t w) {
  return (size_t)slot->sequences * (size_t)slot->forward->widths[w] * sizeof(uint16_t);
}

/* kernel_pool takes the mean, or the state's one row a sequence. */
static bool pools_mean(enum pooling pooling) {
  switch (pooling) {
    case POOLING_CLS:
      return false;
    case POOLING_MEAN:
      return true;
  }
  return false;
}

static bool pool(struct cuda_slot *slot, int32_t prompt_tokens, struct error *error) {
  const struct cuda_forward *forward = slot->forward;
  struct kernel_widths widths = {.count = forward->width_count};
  size_t offset = 0;
  for (int32_t w = 0; w < forward->width_count; w++) {
    slot->row_offset[w] = offset;
    widths.width[w] = forward->widths[w];
    widths.rows[w] = (uint16_t *)((char *)slot->scratch + offset);
    offset = align_up(offset + rows_bytes(slot, w), ROW_ALIGNMENT);
  }
  const bool mean = pools_mean(forward->shape.pooling);
  return cuda_check(kernel_pool(slot->state, mean ? device_offsets(slot) : NULL, slot->sequences,
                                forward->shape.hidden, mean, prompt_tokens, &widths, slot->stream),
                    error, "the pooling kernel");
}

static bool rows_fetch(struct cuda_slot *slot, struct error *error) {
  for (int32_t w = 0; w < slot->forward->width_count; w++)
    if (!cuda_check(cudaMemcpyAsync(slot->host_rows + slot->row_offset[w],
                                    (const char *)slot->scratch + slot->row_offset[w], rows_bytes(slot, w),
                                    cudaMemcpyDeviceToHost, slot->stream),
                    error, "copying rows from the card"))
      return false;
  return true;
}

static bool batch_queue(struct cuda_slot *slot, const struct batch *batch, struct error *error) {
  const struct cuda_forward *forward = slot->forward;
  const bool first_only = pooling_first_only(forward->shape.pooling);
  const struct attention_plan plan =
      attention_plan_make(batch->offsets, batch->sequences, forward->shape.head_size);
  if (!input_send(slot, batch, error) ||
      !cuda_check(
          kernel_attention_tiles(&plan, device_offsets(slot), slot->sequences, slot->tiles, slot->stream),
          error, "the kernel that lists attention's tiles") ||
      !embed(slot, error))
    return false;
  for (int32_t l = 0; l < forward->shape.layers; l++)
    if (!layer_run(slot, &forward->weights.layer[l], &plan, first_only && l == forward->shape.layers - 1,
                   error))
      return error_prefix(error, "layer %d", l);
  return pool(slot, batch->prompt_tokens, error) && rows_fetch(slot, error) &&
         cuda_check(cudaEventRecord(slot->done, slot->stream), error, "recording the end of a batch");
}

bool cuda_slot_submit(struct cuda_slot *slot, const struct batch *batch, struct error *error) {
  slot->sequences = batch->sequences;
  slot->tokens = slot->rows = batch->offsets[batch->sequences];
  if (!cuda_check(cudaSetDevice(slot->forward->device), error, "turning to card %d", slot->forward->device) ||
      !batch_queue(slot, batch, error))
    return error_prefix(error, "a batch of %d sequences and %d tokens", slot->sequences, slot->tokens);
  slot->submitted = true;
  return true;
}

bool cuda_slot_wait(struct cuda_slot *slot, uint16_t *const *rows, struct error *error) {
  if (!slot->submitted) return error_set(error, ERROR_USAGE, "a wait without a batch: submit comes first");
  slot->submitted = false;
  if (!cuda_check(
          cudaEventSynchronize(slot->done), error,
          "a batch of %d sequences and %d tokens (set CUDA_LAUNCH_BLOCKING=1 to learn at which kernel)",
          slot->sequences, slot->tokens))
    return false;
  for (int32_t w = 0; w < slot->forward->width_count; w++)
    memcpy(rows[w], slot->host_rows + slot->row_offset[w], rows_bytes(slot, w));
  return true;
}
