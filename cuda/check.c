#include "cuda/check.h"

#include <stdarg.h>
#include <stdio.h>

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
