/* Pools each sequence in one or several modes, side by side. For models that kernel_pool does not pool by
 * itself: other modes than cls and mean, several modes, and Dense modules after them.
 *
 *   state    [tokens, hidden] fp16
 *   pooled   [sequences, pooling.count · hidden] fp16
 *
 * A block takes a sequence and computes one mode after the other. For the first or the last token's row, a
 * thread copies 8 columns at a time. For the other modes, a thread folds 8 columns in fp32. Groups of threads
 * divide the tokens among themselves; the groups' results are then folded in order, in shared memory.
 *
 * Traffic:   2 · hidden bytes a token for each mode that reads all tokens; 2 · hidden · count written.
 * Occupancy: 8 warps a block, at most 64 registers: 4 blocks on an SM. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 256
#define CHUNK 8 /* fp16 numbers in 16 bytes */

/* How a mode folds its tokens. */
enum fold { FOLD_SUM, FOLD_WEIGHTED, FOLD_MAX };

/* One column's next number. A comparison with a NaN is false, so isnan looks for a NaN. */
template <fold F>
__device__ __forceinline__ float number_fold(float result, float x) {
  if (F == FOLD_MAX) return x > result || isnan(x) ? x : result;
  return result + x;
}

/* x [groups, columns] fp32: row g folds tokens first + g, first + g + groups, … below `tokens`. A token's
 * weight is the token's place in the sequence, from 1. */
template <fold F>
__device__ __forceinline__ void groups_fold(const uint16_t *rows, int hidden, int first, int tokens,
                                            int groups, float *x) {
  const int chunks = hidden / CHUNK;
  for (int i = threadIdx.x; i < groups * chunks; i += THREADS) {
    const int column = i % chunks * CHUNK;
    float result[CHUNK];
    for (int k = 0; k < CHUNK; k++) result[k] = F == FOLD_MAX ? -INFINITY : 0.0f;
#pragma unroll 4
    for (int t = first + i / chunks; t < tokens; t += groups) {
      float halves[CHUNK];
      halves_unpack(load16(rows + static_cast<int64_t>(t) * hidden + column), halves);
      const float weight = F == FOLD_WEIGHTED ? static_cast<float>(t + 1) : 1.0f;
      for (int k = 0; k < CHUNK; k++) result[k] = number_fold<F>(result[k], halves[k] * weight);
    }
    for (int k = 0; k < CHUNK; k++) x[i / chunks * hidden + column + k] = result[k];
  }
}

/* Folds the groups' results and divides by `divisor`. */
template <fold F>
__device__ __forceinline__ void groups_join(const float *x, int hidden, int groups, float divisor,
                                            uint16_t *pooled) {
  for (int i = threadIdx.x * CHUNK; i < hidden; i += THREADS * CHUNK) {
    float result[CHUNK];
    for (int k = 0; k < CHUNK; k++) {
      result[k] = x[i + k];
      for (int g = 1; g < groups; g++) result[k] = number_fold<F>(result[k], x[g * hidden + i + k]);
      result[k] /= divisor;
    }
    store16(pooled + i, halves_pack(result));
  }
}

template <fold F>
__device__ __forceinline__ void mode_fold(const uint16_t *rows, int hidden, int first, int tokens, int groups,
                                          float divisor, float *x, uint16_t *pooled) {
  groups_fold<F>(rows, hidden, first, tokens, groups, x);
  __syncthreads(); /* all groups' results are there */
  groups_join<F>(x, hidden, groups, divisor, pooled);
  __syncthreads(); /* the next mode overwrites the groups' results */
}

/* row NULL: zeros. */
__device__ __forceinline__ void row_copy(const uint16_t *row, int hidden, uint16_t *pooled) {
  for (int i = threadIdx.x * CHUNK; i < hidden; i += THREADS * CHUNK)
    store16(pooled + i, row ? load16(row + i) : make_uint4(0, 0, 0, 0));
}

/* The weights' sum: Σ t for t = first + 1 … tokens. The sum is below 2^53, so exact in fp64. */
__device__ __forceinline__ float weights_sum(int first, int tokens) {
  const double all = double(tokens) * (tokens + 1.0), left_out = double(first) * (first + 1.0);
  return static_cast<float>((all - left_out) / 2);
}

__global__ void __launch_bounds__(THREADS)
    pool_modes(const uint16_t *state, const int32_t *offsets, int hidden, struct pooling pooling,
               int prompt_tokens, int groups, uint16_t *pooled) {
  SHARED_DYNAMIC(shared);
  float *const x = reinterpret_cast<float *>(shared); /* [groups, hidden] */
  const int sequence = static_cast<int>(blockIdx.x), start = offsets[sequence];
  const int tokens = offsets[sequence + 1] - start, left = tokens - prompt_tokens;
  const uint16_t *const rows = state + static_cast<int64_t>(start) * hidden;
  for (int m = 0; m < pooling.count; m++) {
    uint16_t *const to = pooled + (static_cast<int64_t>(sequence) * pooling.count + m) * hidden;
    if (left <= 0 && pooling.mode[m] != POOLING_CLS) {
      row_copy(nullptr, hidden, to);
      continue;
    }
    const float count = static_cast<float>(left);
    switch (pooling.mode[m]) {
      case POOLING_CLS:
        row_copy(rows, hidden, to);
        break;
      case POOLING_LAST_TOKEN:
        row_copy(rows + static_cast<int64_t>(tokens - 1) * hidden, hidden, to);
        break;
      case POOLING_MAX:
        mode_fold<FOLD_MAX>(rows, hidden, prompt_tokens, tokens, groups, 1, x, to);
        break;
      case POOLING_MEAN:
        mode_fold<FOLD_SUM>(rows, hidden, prompt_tokens, tokens, groups, count, x, to);
        break;
      case POOLING_MEAN_SQRT_LEN:
        mode_fold<FOLD_SUM>(rows, hidden, prompt_tokens, tokens, groups, sqrtf(count), x, to);
        break;
      case POOLING_WEIGHTED_MEAN:
        mode_fold<FOLD_WEIGHTED>(rows, hidden, prompt_tokens, tokens, groups,
                                 weights_sum(prompt_tokens, tokens), x, to);
        break;
    }
  }
}

cudaError_t kernel_pool_modes(const uint16_t *state, const int32_t *offsets, int32_t sequences,
                              int32_t hidden, const struct pooling *pooling, int32_t prompt_tokens,
                              uint16_t *pooled, cudaStream_t stream) {
  if (sequences < 1 || hidden < 1 || hidden % CHUNK != 0 || hidden > KERNEL_HIDDEN_MAX || prompt_tokens < 0 ||
      pooling->count < 1 || pooling->count > POOLING_MODES || !offsets || !is_aligned16(state) ||
      !is_aligned16(pooled))
    return cudaErrorInvalidValue;
  const int32_t chunks = hidden / CHUNK, groups = chunks < THREADS ? THREADS / chunks : 1;
  return kernel_launch(pool_modes, static_cast<uint32_t>(sequences), THREADS,
                       static_cast<size_t>(groups) * hidden * sizeof(float), stream, state, offsets, hidden,
                       *pooling, prompt_tokens, groups, pooled);
}
