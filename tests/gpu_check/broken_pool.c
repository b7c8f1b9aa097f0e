/* What the pooling kernel must not do: judge only the narrowest row. */
#include "cuda/kernels.h"

cudaError_t right_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                       bool mean, int32_t prompt_tokens, const struct kernel_widths *widths,
                       cudaStream_t stream);

cudaError_t kernel_pool(const uint16_t *state, const int32_t *offsets, int32_t sequences, int32_t hidden,
                        bool mean, int32_t prompt_tokens, const struct kernel_widths *widths,
                        cudaStream_t stream) {
  const int32_t last = widths->count - 1;
  const struct kernel_widths narrowest = {
      .count = 1, .width = {widths->width[last]}, .rows = {widths->rows[last]}, .verdicts = widths->verdicts};
  struct kernel_widths all = *widths;
  all.verdicts = NULL;
  const cudaError_t status =
      right_pool(state, offsets, sequences, hidden, mean, prompt_tokens, &narrowest, stream);
  return status == cudaSuccess
             ? right_pool(state, offsets, sequences, hidden, mean, prompt_tokens, &all, stream)
             : status;
}
