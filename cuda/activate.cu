/* Applies a Dense module's activation in place.
 *
 *   rows  [rows, columns] fp16, as cuBLASLt has written them
 *
 * A thread takes 16 bytes; the function is computed in fp32.
 *
 * Traffic:   4 bytes a number.
 * Occupancy: 8 warps a block, at most 64 registers: 4 blocks on an SM. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 256
#define CHUNK 8 /* fp16 numbers in 16 bytes */

__device__ __forceinline__ float number_activate(enum activation activation, float x) {
  switch (activation) {
    case ACTIVATION_IDENTITY:
      return x;
    case ACTIVATION_TANH:
      return tanhf(x);
    case ACTIVATION_RELU:
      return x < 0 ? 0.0f : x;
    case ACTIVATION_GELU:
      return 0.5f * x * (1.0f + erff(x * 0.70710678f));
  }
  return x;
}

__global__ void __launch_bounds__(THREADS)
    activate(enum activation activation, int64_t chunks, uint16_t *rows) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
  if (i >= chunks) return;
  float values[CHUNK];
  halves_unpack(load16(rows + i * CHUNK), values);
  for (int k = 0; k < CHUNK; k++) values[k] = number_activate(activation, values[k]);
  store16(rows + i * CHUNK, halves_pack(values));
}

cudaError_t kernel_activate(enum activation activation, int32_t rows, int32_t columns, uint16_t *values,
                            cudaStream_t stream) {
  if (rows < 1 || columns < 1 || columns % CHUNK != 0 || !is_aligned16(values)) return cudaErrorInvalidValue;
  const int64_t chunks = static_cast<int64_t>(rows) * (columns / CHUNK);
  return kernel_launch(activate, static_cast<uint32_t>((chunks + THREADS - 1) / THREADS), THREADS, 0, stream,
                       activation, chunks, values);
}
