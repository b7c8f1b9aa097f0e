/* Chooses products' algorithms by measured time, not by cuBLASLt's heuristic, and keeps the choice in a file
 * (--gemm-tuning):
 *
 *   {"card": "NVIDIA H200", "compute_capability": "9.0", "cublaslt": "13.1.0",
 *    "products": [{"outputs": 3072, "inputs": 1024, "epilogue": "bias", "tokens": 128, "algorithm": "0a…",
 *                  "microseconds": 12.5, "untuned_microseconds": 13.1}, …]}
 *
 * An algorithm is cuBLASLt's 64 bytes in hexadecimal digits. `tokens` represents a class (cuda/gemm.h). */
#pragma once

#include <jansson.h>

#include "cuda/gemm.h"

/* Operands large enough for the largest product; their values do not matter. */
struct gemm_operands {
  const uint16_t *x, *weight, *bias;
  void *y;
};

/* Times each class's candidates on `stream`, and appends the fastest one to `products`. `stream` is the
 * product's own and must be idle. If two candidates are equally fast, takes the one that the heuristic ranks
 * higher. */
bool gemm_tuning_time(struct cuda_gemm *gemm, const struct gemm_operands *operands, cudaStream_t stream,
                      json_t *products, struct error *error);

/* Makes the product use its entries in `products`. A class without an entry keeps the heuristic's choice.
 * ERROR_INPUT: no entry for this product, or an algorithm that cuBLASLt refuses. */
bool gemm_tuning_use(struct cuda_gemm *gemm, const json_t *products, struct error *error);
