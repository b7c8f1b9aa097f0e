/* Statuses of CUDA and cuBLASLt → struct error: what was being done, the library's own name for what went
 * wrong, and its sentence. Both return true where the status is success. */
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/library.h"
#include "io/error.h"

bool cuda_check(cudaError_t status, struct error *error, const char *doing, ...)
    __attribute__((format(printf, 3, 4)));

bool cublas_check(const struct cublaslt *library, cublasStatus_t status, struct error *error,
                  const char *doing, ...) __attribute__((format(printf, 4, 5)));
