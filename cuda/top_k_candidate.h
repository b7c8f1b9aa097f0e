/* A query and a passage that may be its hit. The header is separate, because code without CUDA includes it
 * too. */
#pragma once

#include <stdint.h>

struct __attribute__((aligned(16))) top_k_candidate {
  int32_t query, passage;
  float score;
  int32_t astray; /* not 0: the product's score is off by more than its bound (kernel_top_k_score) */
};
