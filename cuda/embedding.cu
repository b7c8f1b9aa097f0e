/* Computes each token's first state in one pass: adds the token's rows from three tables, then LayerNorm.
 *
 *   ids      [tokens]
 *   offsets  [sequences + 1]
 *   state    [tokens, hidden] fp16 = norm(word[ids[t]] + position[first_position + index of t] + type)
 *
 * A warp takes a token. The warp bisects the offsets to find the token's sequence, and so the token's index
 * in the sequence. All lanes take the same steps: about ten reads that hit L1, once a batch.
 *
 * The padding's token, whose id is first_position - 1, is not counted: RoBERTa's positions pass it over if a
 * text spells it. So the lanes look through the ids before the token, 32 at a time, which hit L1 or L2.
 *
 * Traffic:   4 · hidden bytes a token for the word's row and the result; positions (2 · hidden), type, weight
 *            and bias come from the caches.
 * Occupancy: 8 warps a block; 3 blocks on an SM if hidden ≤ 1024 (at most 80 registers), otherwise 2. */
#include "cuda/row_norm.h"

#define WARPS 8
#define THREADS (WARPS * WARP_LANES)

/* First token of the sequence that holds `token`. */
__device__ __forceinline__ int sequence_first(const int32_t *offsets, int sequences, int token) {
  int low = 0, high = sequences; /* offsets[low] ≤ token < offsets[high] */
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    if (offsets[middle] <= token)
      low = middle;
    else
      high = middle;
  }
  return offsets[low];
}

/* Position of a token; all lanes get it. */
__device__ __forceinline__ int position_of(const int32_t *ids, int first, int token, int first_position,
                                           int lane) {
  const int padding = first_position - 1;
  if (ids[token] == padding) return padding;
  int passed_over = 0;
  for (int t = first + lane; padding >= 0 && t < token; t += WARP_LANES) passed_over += ids[t] == padding;
  return first_position + token - first - warp_sum(passed_over);
}

template <int C>
__global__ void __launch_bounds__(THREADS, C == 8 ? 2 : 3)
    embedding(struct kernel_embedding_tables tables, struct kernel_norm norm, const int32_t *ids,
              const int32_t *offsets, int sequences, int tokens, int hidden, uint16_t *state) {
  const int lane = threadIdx.x % WARP_LANES;
  const int token = static_cast<int>(blockIdx.x) * WARPS + static_cast<int>(threadIdx.x) / WARP_LANES;
  if (token >= tokens) return;
  const int first = sequence_first(offsets, sequences, token);
  const int64_t position = position_of(ids, first, token, tables.first_position, lane);
  struct row<C> row = {};
  row_add<C>(row, tables.word + static_cast<int64_t>(ids[token]) * hidden, hidden, lane);
  row_add<C>(row, tables.position + position * hidden, hidden, lane);
  row_add<C>(row, tables.type, hidden, lane);
  row_norm<C>(row, norm, hidden, lane, state + static_cast<int64_t>(token) * hidden);
}

cudaError_t kernel_embedding(const struct kernel_embedding_tables *tables, const struct kernel_norm *norm,
                             const int32_t *ids, const int32_t *offsets, int32_t sequences, int32_t tokens,
                             int32_t hidden, uint16_t *state, cudaStream_t stream) {
  if (!row_launch_is_valid(norm, tokens, hidden) || sequences < 1 || tables->first_position < 0 ||
      !is_aligned16(tables->word) || !is_aligned16(tables->position) || !is_aligned16(tables->type) ||
      !is_aligned16(state))
    return cudaErrorInvalidValue;
  const uint32_t blocks = static_cast<uint32_t>(tokens - 1) / WARPS + 1;
  const auto kernel = row_fits<2>(hidden) ? embedding<2> : row_fits<4>(hidden) ? embedding<4> : embedding<8>;
  return kernel_launch(kernel, blocks, THREADS, 0, stream, *tables, *norm, ids, offsets, sequences, tokens,
                       hidden, state);
}
