/* A safetensors file with random fp16 tensors, written by all cores. Every block of numbers has its own seed,
 * so the bytes depend only on the tensor list. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct random_tensor {
  char name[96];
  int64_t rows, columns; /* columns 0: a vector with `rows` numbers */
  float centre, spread;  /* mean and standard deviation */
};

struct random_weights {
  struct random_tensor *tensor;
  int count;
};

bool random_weights_add(struct random_weights *weights, const struct random_tensor *tensor,
                        struct error *error);
bool random_weights_write(const struct random_weights *weights, const char *path, struct error *error);
void random_weights_free(struct random_weights *weights);
