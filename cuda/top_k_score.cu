/* Computes each candidate's exact score, and marks a candidate as astray if the product's score is too far
 * off.
 *
 *   rows         [passages, stride] fp16
 *   queries      [queries, stride] fp16
 *   norm, slack  [passages], [queries] fp32
 *   candidates   [count]: query, passage and the product's score are read, score and astray are written
 *
 * A thread takes a candidate and sums as the CPU does: one chain of fused multiply-adds in row order, because
 * another order gives other bits. So there are few threads, and they would wait long for memory. Therefore
 * each thread reads AHEAD chunks from both rows before the next part of its chain. Blocks are small, so that
 * a few thousand candidates use all SMs.
 *
 * Traffic:   4 · stride bytes a candidate, mostly from L2.
 * Occupancy: 2 warps a block, 16 blocks on an SM. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 64
#define CHUNK 8 /* fp16 numbers in 16 bytes */
#define AHEAD 4 /* chunks from each row */

__device__ __forceinline__ float chunk_add(uint4 query, uint4 passage, float sum) {
  float x[CHUNK], y[CHUNK];
  halves_unpack(query, x);
  halves_unpack(passage, y);
  for (int k = 0; k < CHUNK; k++) sum = fmaf(x[k], y[k], sum);
  return sum;
}

/* If the exact score is finite, both rows are finite, so the product must be finite too. */
__device__ __forceinline__ bool is_astray(float product, float exact, float bound) {
  return fabsf(exact) < INFINITY && !(fabsf(product - exact) <= bound);
}

__global__ void __launch_bounds__(THREADS)
    top_k_score(const uint16_t *rows, const uint16_t *queries, int stride, const float *norm,
                const float *slack, struct top_k_candidate *candidates, int count) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
  if (i >= count) return;
  const struct top_k_candidate pair = candidates[i];
  const uint16_t *const query = queries + static_cast<int64_t>(pair.query) * stride;
  const uint16_t *const passage = rows + static_cast<int64_t>(pair.passage) * stride;
  float sum = 0;
  for (int at = 0; at < stride; at += AHEAD * CHUNK) {
    uint4 x[AHEAD], y[AHEAD];
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      if (at + j * CHUNK >= stride) continue;
      x[j] = load16(query + at + j * CHUNK);
      y[j] = load16(passage + at + j * CHUNK);
    }
#pragma unroll
    for (int j = 0; j < AHEAD; j++)
      if (at + j * CHUNK < stride) sum = chunk_add(x[j], y[j], sum);
  }
  candidates[i] = {pair.query, pair.passage, sum,
                   is_astray(pair.score, sum, slack[pair.query] * norm[pair.passage])};
}

cudaError_t kernel_top_k_score(const uint16_t *rows, const uint16_t *queries, int32_t stride,
                               const float *norm, const float *slack, struct top_k_candidate *candidates,
                               int32_t count, cudaStream_t stream) {
  if (count < 1 || stride < CHUNK || stride % CHUNK != 0 || !is_aligned16(rows) || !is_aligned16(queries) ||
      !is_aligned16(candidates))
    return cudaErrorInvalidValue;
  const uint32_t blocks = static_cast<uint32_t>(count - 1) / THREADS + 1;
  return kernel_launch(top_k_score, blocks, THREADS, 0, stream, rows, queries, stride, norm, slack,
                       candidates, count);
}
