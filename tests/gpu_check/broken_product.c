/* What a product must not do: LEAVES_OUT, a row in the middle; WRITES_ON, a row behind the last. */
#include "cuda/gemm.h"

bool right_gemm_run(struct cuda_gemm *gemm, const uint16_t *x, const uint16_t *weight, const uint16_t *bias,
                    int32_t tokens, void *y, struct error *error);

bool cuda_gemm_run(struct cuda_gemm *gemm, const uint16_t *x, const uint16_t *weight, const uint16_t *bias,
                   int32_t tokens, void *y, struct error *error) {
#ifdef WRITES_ON
  return right_gemm_run(gemm, x, weight, bias, tokens == 7 ? tokens + 1 : tokens, y, error);
#else
  const struct cuda_gemm_shape *shape = cuda_gemm_shape_of(gemm);
  const int32_t half = tokens / 2 | 1, next = half + 1; /* an even row is aligned as a product needs it */
  if (tokens < 3) return right_gemm_run(gemm, x, weight, bias, tokens, y, error);
  return right_gemm_run(gemm, x, weight, bias, half, y, error) &&
         right_gemm_run(gemm, x + (int64_t)next * shape->inputs, weight, bias, tokens - next,
                        (uint16_t *)y + (int64_t)next * shape->outputs, error);
#endif
}
