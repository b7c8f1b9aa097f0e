/* A pair of a query and a passage that may be a hit. The header is separate, because code without CUDA reads
 * it too. */
#pragma once

#include <stdint.h>

struct __attribute__((aligned(16))) top_k_candidate {
  int32_t query, passage;
  float score;
  int32_t astray; /* not 0: the error of the product's score exceeds its bound (kernel_top_k_score) */
};
