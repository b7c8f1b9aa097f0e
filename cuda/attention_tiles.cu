/* Lists attention's tiles once for each batch; every layer uses the list. The card makes the list, so the
 * host need not send the list with the batch.
 *
 *   offsets  [sequences + 1]
 *   tiles    [plan.tiles]: sequence 0's tiles in order, then sequence 1's tiles, …
 *
 * One block. Each thread takes several consecutive sequences. A prefix sum over the threads' counts (Hillis
 * and Steele 1986) gives the place for each thread's first tile.
 *
 * Traffic: 4 bytes a sequence, twice, and 16 bytes a tile; negligible beside one layer. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 256

__device__ __forceinline__ int tiles_of(int tokens, int rows) {
  return (tokens + rows - 1) / rows;
}

__global__ void __launch_bounds__(THREADS)
    attention_tiles(const int32_t *offsets, int sequences, int rows, struct attention_tile *tiles) {
  SHARED_ARRAY(int, before, THREADS); /* tiles that all threads up to this one have */
  const int thread = threadIdx.x, share = (sequences + THREADS - 1) / THREADS;
  const int first = min(thread * share, sequences), end = min(first + share, sequences);
  int count = 0;
  for (int s = first; s < end; s++) count += tiles_of(offsets[s + 1] - offsets[s], rows);

  before[thread] = count;
  __syncthreads();
  for (int distance = 1; distance < THREADS; distance *= 2) {
    const int left = thread >= distance ? before[thread - distance] : 0;
    __syncthreads(); /* all threads have read what the next line changes */
    before[thread] += left;
    __syncthreads();
  }

  struct attention_tile *next = tiles + before[thread] - count;
  for (int s = first; s < end; s++) {
    const int tokens = offsets[s + 1] - offsets[s];
    for (int query = 0; query < tokens; query += rows) *next++ = {offsets[s], tokens, query, 0};
  }
}

cudaError_t kernel_attention_tiles(const struct attention_plan *plan, const int32_t *offsets,
                                   int32_t sequences, struct attention_tile *tiles, cudaStream_t stream) {
  if (plan->rows < 1 || plan->tiles < 1 || sequences < 1 || !is_aligned16(tiles))
    return cudaErrorInvalidValue;
  return kernel_launch(attention_tiles, 1, THREADS, 0, stream, offsets, sequences, plan->rows, tiles);
}
