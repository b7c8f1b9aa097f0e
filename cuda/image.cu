/* Whether this program has code for a card. */
#include "cuda/kernels.h"

/* Any kernel would do: all .cu files are compiled for the same architectures. */
__global__ void first_rows(const uint16_t *x, const int32_t *offsets, int sequences, int hidden, uint16_t *y);

cudaError_t kernel_image_check(void) {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, first_rows);
}
