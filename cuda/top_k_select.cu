/* Lists the scores in a product that may be hits.
 *
 *   scores       [passages, columns] fp32
 *   norm         [passages] fp32
 *   least, slack [columns] fp32
 *   candidates   [capacity], in any order; *found counts them
 *
 * A thread takes four scores, 16 bytes. Nearly all warps find nothing and end there. If a warp finds some,
 * its lanes take their places in the list with one atomic add.
 *
 * Traffic:   4 bytes a score; norm, least and slack come from L1.
 * Occupancy: 8 warps a block, 6 blocks on an SM. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 256
#define GROUP 4 /* scores in 16 bytes */

/* The negated comparison lets a NaN pass, because an infinity can make one. */
__device__ __forceinline__ bool may_be_hit(float score, float norm, float least, float slack) {
  return !(fmaf(slack, norm, score) < least);
}

/* The place in the list for this lane's first candidate. A warp's candidates lie side by side. */
__device__ __forceinline__ uint32_t places_take(int own, int lane, uint32_t *found) {
  int before = own; /* after the loop: how many candidates this lane and all lower lanes have */
  for (int distance = 1; distance < WARP_LANES; distance *= 2) {
    const int below = __shfl_up_sync(ALL_LANES, before, distance);
    if (lane >= distance) before += below;
  }
  uint32_t first = 0;
  if (lane == WARP_LANES - 1) first = atomicAdd(found, static_cast<uint32_t>(before));
  return __shfl_sync(ALL_LANES, first, WARP_LANES - 1) + static_cast<uint32_t>(before - own);
}

__global__ void __launch_bounds__(THREADS)
    top_k_select(const float *scores, const float *norm, const float *least, const float *slack,
                 uint32_t groups, int queries, int columns, struct top_k_candidate *candidates,
                 uint32_t capacity, uint32_t *found) {
  const uint32_t i = blockIdx.x * THREADS + threadIdx.x, across = static_cast<uint32_t>(columns) / GROUP;
  const bool present = i < groups; /* lanes past the end run too: the whole warp must meet */
  const int passage = present ? static_cast<int>(i / across) : 0;
  const int first = present ? static_cast<int>(i % across) * GROUP : 0;
  const float length = norm[passage];
  float4 score = {};
  bool hit[GROUP] = {};
  if (present && first < queries && length == length) {
    score = *reinterpret_cast<const float4 *>(scores + static_cast<uint64_t>(i) * GROUP);
    const float4 bar = *reinterpret_cast<const float4 *>(least + first);
    const float4 give = *reinterpret_cast<const float4 *>(slack + first);
    hit[0] = may_be_hit(score.x, length, bar.x, give.x);
    hit[1] = first + 1 < queries && may_be_hit(score.y, length, bar.y, give.y);
    hit[2] = first + 2 < queries && may_be_hit(score.z, length, bar.z, give.z);
    hit[3] = first + 3 < queries && may_be_hit(score.w, length, bar.w, give.w);
  }
  const int own = hit[0] + hit[1] + hit[2] + hit[3];
  if (!__any_sync(ALL_LANES, own)) return;
  uint32_t place = places_take(own, threadIdx.x % WARP_LANES, found);
  const float value[GROUP] = {score.x, score.y, score.z, score.w};
#pragma unroll
  for (int j = 0; j < GROUP; j++) {
    if (!hit[j]) continue;
    if (place < capacity) candidates[place] = {first + j, passage, value[j], 0};
    place++;
  }
}

cudaError_t kernel_top_k_select(const float *scores, const float *norm, const float *least,
                                const float *slack, int32_t passages, int32_t queries, int32_t columns,
                                struct top_k_candidate *candidates, int32_t capacity, uint32_t *found,
                                cudaStream_t stream) {
  if (passages < 1 || queries < 1 || queries > columns || columns % GROUP != 0 || capacity < 1 ||
      static_cast<int64_t>(passages) * columns > UINT32_MAX || !is_aligned16(scores) ||
      !is_aligned16(least) || !is_aligned16(slack) || !is_aligned16(candidates))
    return cudaErrorInvalidValue;
  const uint32_t groups = static_cast<uint32_t>(passages) * (static_cast<uint32_t>(columns) / GROUP);
  return kernel_launch(top_k_select, (groups - 1) / THREADS + 1, THREADS, 0, stream, scores, norm, least,
                       slack, groups, queries, columns, candidates, static_cast<uint32_t>(capacity), found);
}
