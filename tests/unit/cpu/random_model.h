/* A model with random weights, made in memory: any shape, any of the three stored types. Tests and benchmarks
 * use it. */
#pragma once

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/half.h"
#include "host/model/model.h"

#define RANDOM_TENSORS_MAX (5 + 16 * 24 + 2 * DENSE_MAX)

struct random_model {
  struct model model;
  struct tensor tensor[RANDOM_TENSORS_MAX];
  int tensors;
  uint64_t state;
};

/* xorshift64*: Vigna 2016. */
static inline uint64_t random_bits(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(2685821657736338717);
}

/* A random number between -1 and 1, evenly distributed. */
static inline float random_number(uint64_t *state) {
  return (float)(int32_t)(random_bits(state) >> 32) / 2147483648.0f;
}

/* One tensor with numbers in centre ± spread; columns 0: a vector. */
static inline const struct tensor *random_tensor(struct random_model *random, enum dtype dtype, int64_t rows,
                                                 int64_t columns, float centre, float spread) {
  struct tensor *tensor = &random->tensor[random->tensors++];
  const int64_t elements = rows * (columns ? columns : 1);
  const int64_t size = dtype == DTYPE_F32 ? 4 : 2;
  void *data = malloc((size_t)(elements * size));
  if (!data) abort();
  for (int64_t i = 0; i < elements; i++) {
    const float x = centre + spread * random_number(&random->state);
    const uint16_t half = dtype == DTYPE_F16 ? half_from_float(x) : bfloat_from_float(x);
    if (dtype == DTYPE_F32)
      ((float *)data)[i] = x;
    else
      ((uint16_t *)data)[i] = half;
  }
  *tensor = (struct tensor){.name = "random",
                            .dtype = dtype,
                            .dimensions = columns ? 2 : 1,
                            .shape = {rows, columns},
                            .elements = elements,
                            .data = data,
                            .bytes = elements * size};
  return tensor;
}

/* The weights are large enough to keep the state's size, so that every layer has an effect. */
static inline struct linear random_linear(struct random_model *random, enum dtype dtype, int32_t outputs,
                                          int32_t inputs) {
  const float spread = 1.7f / sqrtf((float)inputs);
  return (struct linear){random_tensor(random, dtype, outputs, inputs, 0, spread),
                         random_tensor(random, dtype, outputs, 0, 0, 0.1f)};
}

static inline struct norm random_norm(struct random_model *random, enum dtype dtype, int32_t hidden) {
  return (struct norm){random_tensor(random, dtype, hidden, 0, 1, 0.3f),
                       random_tensor(random, dtype, hidden, 0, 0, 0.2f)};
}

/* `shape`: layers ≤ 24. The caller frees the model with random_model_close. */
static inline struct random_model *random_model_open(const struct model_shape *shape, enum dtype dtype,
                                                     uint64_t seed) {
  struct random_model *random = calloc(1, sizeof *random);
  if (!random) abort();
  struct model *model = &random->model;
  random->state = seed * 2 + 1;
  model->config.shape = *shape;
  model->config.shape.widest = shape->hidden * shape->pooling.count;
  model->word_embedding = random_tensor(random, dtype, shape->vocabulary, shape->hidden, 0, 1);
  model->position_embedding = random_tensor(random, dtype, shape->positions, shape->hidden, 0, 0.3f);
  model->type_embedding = random_tensor(random, dtype, 2, shape->hidden, 0, 0.3f);
  model->embedding_norm = random_norm(random, dtype, shape->hidden);
  model->layer = calloc((size_t)shape->layers, sizeof *model->layer);
  if (!model->layer) abort();
  for (int32_t l = 0; l < shape->layers; l++) {
    struct layer *layer = &model->layer[l];
    layer->query = random_linear(random, dtype, shape->hidden, shape->hidden);
    layer->key = random_linear(random, dtype, shape->hidden, shape->hidden);
    layer->value = random_linear(random, dtype, shape->hidden, shape->hidden);
    layer->attention_output = random_linear(random, dtype, shape->hidden, shape->hidden);
    layer->attention_norm = random_norm(random, dtype, shape->hidden);
    layer->intermediate = random_linear(random, dtype, shape->ffn, shape->hidden);
    layer->output = random_linear(random, dtype, shape->hidden, shape->ffn);
    layer->output_norm = random_norm(random, dtype, shape->hidden);
  }
  return random;
}

/* Appends a Dense module. */
static inline void random_dense_add(struct random_model *random, enum dtype dtype, int32_t outputs, bool bias,
                                    enum activation activation) {
  struct model_config *config = &random->model.config;
  const int32_t index = config->modules.dense_count++, inputs = config->shape.widest;
  random->model.dense[index] = random_linear(random, dtype, outputs, inputs);
  if (!bias) random->model.dense[index].bias = NULL;
  config->dense[index] = (struct dense_config){inputs, outputs, bias, activation};
  config->shape.widest = outputs;
}

static inline void random_model_close(struct random_model *random) {
  for (int i = 0; i < random->tensors; i++) free((void *)(uintptr_t)random->tensor[i].data);
  free(random->model.layer);
  free(random);
}
