#include "cuda/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "cuda/kernels.h"

bool cuda_check(cudaError_t status, struct error *error, const char *doing, ...) {
  if (status == cudaSuccess) return true;
  char what[512];
  va_list arguments;
  va_start(arguments, doing);
  vsnprintf(what, sizeof what, doing, arguments);
  va_end(arguments);
  cudaGetLastError(); /* clears an error that is not sticky: the next call must not see the error */
  return error_set(error, ERROR_DEVICE, "%s: %s (%s)", what, cudaGetErrorName(status),
                   cudaGetErrorString(status));
}

bool cublas_check(const struct cublaslt *library, cublasStatus_t status, struct error *error,
                  const char *doing, ...) {
  if (status == CUBLAS_STATUS_SUCCESS) return true;
  char what[512];
  va_list arguments;
  va_start(arguments, doing);
  vsnprintf(what, sizeof what, doing, arguments);
  va_end(arguments);
  return error_set(error, ERROR_DEVICE, "%s: cuBLASLt says %s (%s)", what,
                   library->cublasLtGetStatusName(status), library->cublasLtGetStatusString(status));
}

bool cuda_turn(const struct cuda_card *card, struct error *error) {
  const cudaError_t status = cudaSetDevice(card->device);
  const bool held = status == cudaErrorDevicesUnavailable;
  if (!held && !cuda_check(status, error, "turning to card %d", card->device)) return false;
  if (held)
    cuda_check(status, error, "CUDA card %d is held by another process, or nobody may use it", card->device);
  else if (cuda_check(kernel_image_check(), error,
                      "this nina has no code for CUDA card %d (compute capability %d.%d): build it with "
                      "-DNINA_CUDA_ARCHITECTURES=%d%d",
                      card->device, card->major, card->minor, card->major, card->minor))
    return true;
  error->code = ERROR_UNSUPPORTED;
  return error_append(error, "--device cpu does without a card");
}
