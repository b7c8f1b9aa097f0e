/* Gathers each sequence's first row, side by side. After the last layer's attention, CLS pooling needs no
 * other rows.
 *
 *   x        [tokens, hidden] fp16
 *   offsets  [sequences + 1]
 *   y        [sequences, hidden] fp16: y[s] = x[offsets[s]]
 *
 * A thread takes 16 bytes.
 *
 * Traffic:   4 · hidden bytes a sequence.
 * Occupancy: 8 warps a block, 6 blocks on an SM. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 256
#define CHUNK 8 /* fp16 numbers in 16 bytes */

__global__ void __launch_bounds__(THREADS)
    first_rows(const uint16_t *x, const int32_t *offsets, int sequences, int hidden, uint16_t *y) {
  const int chunks = hidden / CHUNK;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
  if (i >= static_cast<int64_t>(sequences) * chunks) return;
  const int sequence = static_cast<int>(i / chunks), column = static_cast<int>(i % chunks) * CHUNK;
  store16(y + i * CHUNK, load16(x + static_cast<int64_t>(offsets[sequence]) * hidden + column));
}

cudaError_t kernel_first_rows(const uint16_t *x, const int32_t *offsets, int32_t sequences, int32_t hidden,
                              uint16_t *y, cudaStream_t stream) {
  if (sequences < 1 || hidden < 1 || hidden % CHUNK != 0 || hidden > KERNEL_HIDDEN_MAX || !is_aligned16(x) ||
      !is_aligned16(y))
    return cudaErrorInvalidValue;
  const int64_t chunks = static_cast<int64_t>(sequences) * (hidden / CHUNK);
  return kernel_launch(first_rows, static_cast<uint32_t>((chunks + THREADS - 1) / THREADS), THREADS, 0,
                       stream, x, offsets, sequences, hidden, y);
}
