#include "cuda/cuda_slot.h"

#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/cuda_slot_state.h"

#define ALIGNMENT 256 /* bytes; cuBLASLt's fastest algorithms need this alignment */
#define ROW_ALIGNMENT 16

static size_t align_up(size_t bytes, size_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

static size_t widths_sum(const struct cuda_forward *forward) {
  size_t sum = 0;
  for (int32_t w = 0; w < forward->width_count; w++) sum += (size_t)forward->widths[w];
  return sum;
}

/* --- Memory --------------------------------------------------------------------------------------------- */

/* Bytes for each part in a slot's device memory. The input's part also has room for the verdicts. */
struct slot_sizes {
  size_t workspace, input, tiles, state, qkv, rows, pooled, scratch;
};

/* Each sequence has at least one token, so there are no more sequences than tokens. */
static struct slot_sizes slot_measure(const struct cuda_forward *forward) {
  const size_t tokens = (size_t)forward->batch_tokens, hidden = (size_t)forward->shape.hidden;
  const size_t tiles = (size_t)attention_tiles_max(forward->batch_tokens, forward->batch_tokens);
  const size_t columns =
      widths_sum(forward) > (size_t)forward->shape.ffn ? widths_sum(forward) : (size_t)forward->shape.ffn;
  const size_t state = align_up(tokens * hidden * sizeof(uint16_t), ALIGNMENT);
  const size_t qkv = align_up(3 * tokens * hidden * sizeof(uint16_t), ALIGNMENT);
  const size_t wide = align_up(tokens * columns * sizeof(uint16_t), ALIGNMENT) + WIDTHS_MAX * ROW_ALIGNMENT;
  /* All widths' rows (or whole rows, for cuda_slot_judge), then two buffers for pooled rows. */
  const size_t most = (size_t)cuda_forward_columns(forward);
  const size_t pooled = align_up(tokens * most * sizeof(uint16_t), ALIGNMENT);
  const size_t numbers = widths_sum(forward) > most ? widths_sum(forward) : most;
  const size_t rows = align_up(tokens * numbers * sizeof(uint16_t) + WIDTHS_MAX * ROW_ALIGNMENT, ALIGNMENT);
  const size_t scratch = qkv + state > wide ? qkv + state : wide;
  return (struct slot_sizes){
      .workspace = CUDA_BLAS_WORKSPACE,
      .input = align_up((3 * tokens + 1) * sizeof(int32_t), ALIGNMENT),
      .tiles = align_up(tiles * sizeof(struct attention_tile), ALIGNMENT),
      .state = state,
      .qkv = qkv,
      .rows = rows,
      .pooled = pooled,
      .scratch = pooled > 0 && rows + 2 * pooled > scratch ? rows + 2 * pooled : scratch};
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
  slot->verdicts = slot->input + 2 * (size_t)forward->batch_tokens + 1;
  slot->host_verdicts = slot->host_input + 2 * (size_t)forward->batch_tokens + 1;
  slot->tiles = (struct attention_tile *)((char *)slot->input + sizes.input);
  slot->state = (uint16_t *)((char *)slot->tiles + sizes.tiles);
  slot->scratch = (uint16_t *)((char *)slot->state + sizes.state);
  slot->context = (uint16_t *)((char *)slot->scratch + sizes.qkv);
  slot->pooled[0] = (uint16_t *)((char *)slot->scratch + sizes.rows);
  slot->pooled[1] = (uint16_t *)((char *)slot->pooled[0] + sizes.pooled);
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
  for (int32_t d = 0; d < slot->forward->dense_count; d++) {
    const struct dense_config *dense = &slot->forward->dense[d];
    const struct cuda_gemm_shape shape = {dense->outputs, dense->inputs, CUDA_GEMM_BIAS};
    slot->dense[d] = cuda_gemm_open(slot->blas, &shape, slot->forward->batch_tokens, error);
    if (!slot->dense[d]) return false;
  }
  return true;
}

struct cuda_slot *cuda_slot_open(const struct cuda_forward *forward, int32_t number, struct error *error) {
  struct cuda_slot *slot = calloc(1, sizeof *slot);
  if (!slot) {
    error_set_memory(error, sizeof *slot, "a slot");
    return NULL;
  }
  slot->forward = forward;
  /* The waiting thread sleeps, because the tokenizers need its core. */
  const unsigned int event_flags = cudaEventDisableTiming | cudaEventBlockingSync;
  if (cuda_streams_take(&forward->streams, number, &slot->stream, error) &&
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
  for (int d = 0; d < DENSE_MAX; d++) cuda_gemm_close(slot->dense[d]);
  cuda_blas_close(slot->blas);
  if (slot->arena) cudaFree(slot->arena);
  if (slot->host_input) cudaFreeHost(slot->host_input);
  if (slot->host_rows) cudaFreeHost(slot->host_rows);
  if (slot->done) cudaEventDestroy(slot->done);
  cuda_streams_give(&slot->forward->streams, slot->stream);
  free(slot);
}

/* --- One batch ------------------------------------------------------------------------------------------ */

/* Offsets and ids are adjacent in both memories, so one copy sends both to the card. */
static bool input_send(struct cuda_slot *slot, const struct batch *batch, struct error *error) {
  const size_t offsets = (size_t)slot->sequences + 1, ids = (size_t)slot->tokens;
  memcpy(slot->host_input, batch->offsets, offsets * sizeof(int32_t));
  memcpy(slot->host_input + offsets, batch->ids, ids * sizeof(int32_t));
  return cuda_check(cudaMemcpyAsync(slot->input, slot->host_input, (offsets + ids) * sizeof(int32_t),
                                    cudaMemcpyHostToDevice, slot->stream),
                    error, "copying token ids to the card");
}

static bool rows_fetch(struct cuda_slot *slot, struct error *error) {
  for (int32_t w = 0; w < slot->forward->width_count; w++)
    if (!cuda_check(cudaMemcpyAsync(slot->host_rows + slot->row_offset[w],
                                    (const char *)slot->scratch + slot->row_offset[w],
                                    cuda_slot_rows_bytes(slot, w), cudaMemcpyDeviceToHost, slot->stream),
                    error, "copying rows from the card"))
      return false;
  return cuda_check(
      cudaMemcpyAsync(slot->host_verdicts, slot->verdicts, (size_t)slot->sequences * sizeof *slot->verdicts,
                      cudaMemcpyDeviceToHost, slot->stream),
      error, "copying the rows' verdicts from the card");
}

static bool batch_queue(struct cuda_slot *slot, const struct batch *batch, struct error *error) {
  const struct model_shape *shape = &slot->forward->shape;
  if (!input_send(slot, batch, error)) return false;
  const struct attention_plan plan = cuda_slot_plan(slot);
  if (!cuda_check(
          kernel_attention_tiles(&plan, cuda_slot_offsets(slot), slot->sequences, slot->tiles, slot->stream),
          error, "the kernel that lists attention's tiles") ||
      !cuda_slot_embed(slot, error))
    return false;
  for (int32_t l = 0; l < shape->layers; l++)
    if (!cuda_slot_layer(slot, &plan, l, error)) return false;
  return cuda_slot_pool(slot, batch->prompt_tokens, error) && rows_fetch(slot, error) &&
         cuda_check(cudaEventRecord(slot->done, slot->stream), error, "recording the end of a batch");
}

bool cuda_slot_submit(struct cuda_slot *slot, const struct batch *batch, struct error *error) {
  slot->sequences = batch->sequences;
  slot->tokens = batch->offsets[batch->sequences];
  slot->prompt_tokens = batch->prompt_tokens;
  slot->blamed = -1;
  if (!cuda_check(cudaSetDevice(slot->forward->device), error, "turning to card %d", slot->forward->device))
    return false;
  cuda_streams_lock(&slot->forward->streams);
  slot->submitted = batch_queue(slot, batch, error);
  cuda_streams_unlock(&slot->forward->streams);
  return slot->submitted ||
         error_prefix(error, "a batch of %d sequences and %d tokens", slot->sequences, slot->tokens);
}

/* The first sequence with a row that cannot be stored, or -1. */
static int32_t row_refused(const struct cuda_slot *slot) {
  const int32_t *offsets = slot->host_input;
  for (int32_t s = 0; s < slot->sequences; s++)
    if (!row_passes((enum row_verdict)slot->host_verdicts[s], offsets[s + 1] - offsets[s],
                    slot->prompt_tokens))
      return s;
  return -1;
}

int32_t cuda_slot_blamed(const struct cuda_slot *slot) {
  return slot->blamed;
}

bool cuda_slot_wait(struct cuda_slot *slot, uint16_t *const *rows, struct error *error) {
  if (!slot->submitted) return error_set(error, ERROR_USAGE, "a wait without a batch: submit comes first");
  slot->submitted = false;
  if (!cuda_check(
          cudaEventSynchronize(slot->done), error,
          "a batch of %d sequences and %d tokens (set CUDA_LAUNCH_BLOCKING=1 to learn at which kernel)",
          slot->sequences, slot->tokens))
    return false;
  slot->blamed = row_refused(slot);
  if (slot->blamed >= 0) return cuda_slot_blame(slot, error);
  for (int32_t w = 0; w < slot->forward->width_count; w++)
    memcpy(rows[w], slot->host_rows + slot->row_offset[w], cuda_slot_rows_bytes(slot, w));
  return true;
}
