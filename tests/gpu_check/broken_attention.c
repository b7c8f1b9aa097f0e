/* What attention must not do. LEAVES_OUT: leave a row unwritten, with tiles of either size. Otherwise: give
 * one row of a tile another row's numbers, with heads of 128. */
#include "cuda/kernels.h"

#define LEFT_OUT 100
#define FRESH_BYTES 4096 /* more than a row of --small */
#define SPOILT \
  205 /* row 25 of a tile in --small's longest text of the long ones, which begins at token 180 */
#define TILES 7
#define ROWS 64

cudaError_t right_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                            const uint16_t *qkv, int32_t heads, int32_t head_size, float scale,
                            uint16_t *context, cudaStream_t stream);

cudaError_t kernel_attention(const struct attention_plan *plan, const struct attention_tile *tiles,
                             const uint16_t *qkv, int32_t heads, int32_t head_size, float scale,
                             uint16_t *context, cudaStream_t stream) {
  const int64_t hidden = (int64_t)heads * head_size;
  const size_t bytes = (size_t)hidden * sizeof *context;
  cudaError_t status = right_attention(plan, tiles, qkv, heads, head_size, scale, context, stream);
#ifdef LEAVES_OUT
  static void *fresh; /* memory that is not written yet: 0xff bytes, as the output before the kernel */
  if (status == cudaSuccess && !fresh) status = cudaMalloc(&fresh, FRESH_BYTES);
  if (status != cudaSuccess) return status;
  return cudaMemcpyAsync(context + LEFT_OUT * hidden, fresh, bytes, cudaMemcpyDeviceToDevice, stream);
#else
  for (int64_t token = SPOILT; head_size == 128 && token < SPOILT + TILES * ROWS; token += ROWS)
    if (status == cudaSuccess)
      status = cudaMemcpyAsync(context + token * hidden, context, bytes, cudaMemcpyDeviceToDevice, stream);
  return status;
#endif
}
