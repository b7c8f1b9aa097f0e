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

/* Whether the look at the image has found no code that the card runs. Other statuses are the card's own
 * trouble, or an earlier call's. */
static bool is_without_code(cudaError_t status) {
  return status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction ||
         status == cudaErrorInvalidPtx || status == cudaErrorUnsupportedPtxVersion ||
         status == cudaErrorJitCompilerNotFound || status == cudaErrorJitCompilationDisabled;
}

bool cuda_turn(const struct cuda_card *card, struct error *error) {
  const cudaError_t turned = cudaSetDevice(card->device);
  const cudaError_t image = turned == cudaSuccess ? kernel_image_check() : cudaSuccess;
  if (turned == cudaErrorDevicesUnavailable)
    cuda_check(turned, error, "CUDA card %d is held by another process, or nobody may use it", card->device);
  else if (is_without_code(image))
    cuda_check(image, error,
               "this nina has no code for CUDA card %d (compute capability %d.%d): build it with "
               "-DNINA_CUDA_ARCHITECTURES=%d%d",
               card->device, card->major, card->minor, card->major, card->minor);
  else
    return cuda_check(turned, error, "turning to card %d", card->device) &&
           cuda_check(image, error, "loading the kernels onto card %d", card->device);
  error->code = ERROR_UNSUPPORTED;
  return false;
}
