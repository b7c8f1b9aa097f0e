/* Algorithms of products by the clock instead of cuBLASLt's heuristic, and the file that keeps them
 * (--gemm-tuning):
 *
 *   {"card": "NVIDIA H200", "compute_capability": "9.0", "cublaslt": "13.1.0",
 *    "products": [{"outputs": 3072, "inputs": 1024, "epilogue": "bias", "tokens": 128, "algorithm": "0a…",
 *                  "microseconds": 12.5, "untuned_microseconds": 13.1}, …]}
 *
 * An algorithm is cuBLASLt's 64 bytes in hexadecimal digits; tokens stands for a class (cuda/gemm.h). */
#pragma once

#include <jansson.h>

#include "cuda/gemm.h"

/* Operands of a product as large as it takes them; their numbers do not matter. */
struct gemm_operands {
  const uint16_t *x, *weight, *bias;
  void *y;
};

/* Times the candidates of each class on `stream`, which is the product's and otherwise idle, and appends the
 * fastest of each to `products`. Of equal ones the heuristic's better one is taken. */
bool gemm_tuning_time(struct cuda_gemm *gemm, const struct gemm_operands *operands, cudaStream_t stream,
                      json_t *products, struct error *error);

/* Has the product use what `products` holds for it; a class that is not there keeps the heuristic's choice.
 * ERROR_INPUT: there is nothing for this product, or something that cuBLASLt does not take. */
bool gemm_tuning_use(struct cuda_gemm *gemm, const json_t *products, struct error *error);
