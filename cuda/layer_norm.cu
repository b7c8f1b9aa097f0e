/* LayerNorm of a GEMM's output. The output already includes the residual.
 *
 *   x, y  [tokens, hidden] fp16; y may be x
 *
 * A warp takes a row, reads it once, keeps it in registers, and writes it once.
 *
 * Traffic:   4 · hidden bytes a token; weight and bias (8 · hidden bytes) come from L1.
 * Occupancy: 8 warps a block; 4 blocks on an SM if hidden ≤ 1024 (at most 64 registers), otherwise 2. */
#include "cuda/row_norm.h"

#define WARPS 8
#define THREADS (WARPS * WARP_LANES)

template <int C>
__global__ void __launch_bounds__(THREADS, C == 8 ? 2 : 4)
    layer_norm(struct kernel_norm norm, const uint16_t *x, int tokens, int hidden, uint16_t *y) {
  const int lane = threadIdx.x % WARP_LANES;
  const int64_t token = static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.x / WARP_LANES;
  if (token >= tokens) return;
  struct row<C> row = {};
  row_add<C>(row, x + token * hidden, hidden, lane);
  row_norm<C>(row, norm, hidden, lane, y + token * hidden);
}

cudaError_t kernel_layer_norm(const struct kernel_norm *norm, const uint16_t *x, int32_t tokens,
                              int32_t hidden, uint16_t *y, cudaStream_t stream) {
  if (!row_launch_is_valid(norm, tokens, hidden) || !is_aligned16(x) || !is_aligned16(y))
    return cudaErrorInvalidValue;
  const uint32_t blocks = static_cast<uint32_t>(tokens - 1) / WARPS + 1;
  const auto kernel = row_fits<2>(hidden)   ? layer_norm<2>
                      : row_fits<4>(hidden) ? layer_norm<4>
                                            : layer_norm<8>;
  return kernel_launch(kernel, blocks, THREADS, 0, stream, *norm, x, tokens, hidden, y);
}
