/* Turn a CUDA or cuBLASLt status into a struct error: what was being done, the library's name for the error,
 * and the library's sentence. Both return true if the status is success. */
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/cards.h"
#include "cuda/library.h"
#include "io/error.h"

bool cuda_check(cudaError_t status, struct error *error, const char *doing, ...)
    __attribute__((format(printf, 3, 4)));

bool cublas_check(const struct cublaslt *library, cublasStatus_t status, struct error *error,
                  const char *doing, ...) __attribute__((format(printf, 4, 5)));

/* Makes a card this thread's current one, where work on it begins. ERROR_UNSUPPORTED if another process holds
 * the card, or if this program has no code that it runs; ERROR_DEVICE if the card fails. */
bool cuda_turn(const struct cuda_card *card, struct error *error);
