/* Cuts stored rows to one Matryoshka width for a product: derives them, pads with zeros, finds their lengths.
 *
 *   stored  [rows, stored_width] fp16
 *   narrow  [rows, stride] fp16, stride = width rounded up to 8; or NULL
 *   norm    [rows] fp32
 *
 * Eight lanes take a row; lane j takes the numbers j, j + 8, …. host/model/widths.h has the same lanes and
 * adds them in the same order. So a derived row has the same bits as on the CPU, even if the sum of squares
 * is not exact (rows far from length 1). A row may not be aligned to 16 bytes, so numbers are read one by
 * one: eight lanes read 16 bytes side by side, and the next 16 come from L1.
 *
 * Traffic:   2 · width bytes a row, twice if the row is derived (the second time from L2), and 2 · stride
 *            written.
 * Occupancy: 8 warps a block, 6 blocks on an SM. */
#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 256
#define LANES 8 /* per row; the same number as LANES in host/model/widths.c */
#define ROWS (THREADS / LANES)

__device__ __forceinline__ float half_load(const uint16_t *half) {
  return halves_to_floats(*half).x;
}

/* Sum over a row's lanes, with the same bits in all lanes. */
template <typename T>
__device__ __forceinline__ T lanes_sum(T value) {
  for (int distance = 1; distance < LANES; distance *= 2)
    value += __shfl_xor_sync(ALL_LANES, value, distance);
  return value;
}

/* 1 / |row|; 0 if |row| is 0. An fp16 number's square is exact in fp64, fused or not. */
__device__ __forceinline__ float row_scale(const uint16_t *row, int width, int lane) {
  double sum = 0;
#pragma unroll 8
  for (int i = lane; i < width; i += LANES) {
    const double value = half_load(row + i);
    sum = fma(value, value, sum);
  }
  sum = lanes_sum(sum);
  return sum == 0 ? 0.0f : static_cast<float>(1.0 / sqrt(sum));
}

__global__ void __launch_bounds__(THREADS) top_k_rows(const uint16_t *stored, int stored_width, int rows,
                                                      int width, int stride, uint16_t *narrow, float *norm) {
  const int lane = threadIdx.x % LANES;
  const int64_t place = static_cast<int64_t>(blockIdx.x) * ROWS + threadIdx.x / LANES;
  const bool present = place < rows; /* lanes without a row run too: the whole warp must meet */
  const int64_t row = present ? place : rows - 1;
  const uint16_t *const from = stored + row * stored_width;
  uint16_t *const to = narrow && present ? narrow + row * stride : nullptr;
  const float scale = width == stored_width ? 1.0f : row_scale(from, width, lane);
  float squares = 0;
#pragma unroll 8
  for (int i = lane; i < stride; i += LANES) {
    const float value = i < width ? half_load(from + i) * scale : 0.0f;
    squares = fmaf(value, value, squares);
    if (to) to[i] = static_cast<uint16_t>(floats_to_halves(value, 0.0f));
  }
  squares = lanes_sum(squares);
  if (present && lane == 0) norm[row] = sqrtf(squares);
}

cudaError_t kernel_top_k_rows(const uint16_t *stored, int32_t stored_width, int32_t rows, int32_t width,
                              uint16_t *narrow, float *norm, cudaStream_t stream) {
  if (rows < 1 || width < 1 || width > stored_width || width > INT32_MAX - LANES ||
      (!narrow && width != stored_width) || !is_aligned16(narrow))
    return cudaErrorInvalidValue;
  const uint32_t blocks = static_cast<uint32_t>(rows - 1) / ROWS + 1;
  return kernel_launch(top_k_rows, blocks, THREADS, 0, stream, stored, stored_width, rows, width,
                       top_k_stride(width), narrow, norm);
}
