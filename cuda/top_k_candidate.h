/* A pair that may be a hit. Its own header, since the side that has no CUDA reads it too. */
#pragma once

#include <stdint.h>

struct __attribute__((aligned(16))) top_k_candidate {
  int32_t query, passage;
  float score;
  int32_t astray; /* not 0: the product's score is off by more than it may be (kernel_top_k_score) */
};
