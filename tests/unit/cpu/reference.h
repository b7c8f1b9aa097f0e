/* The forward pass of a BERT-like encoder, written as its definition reads: fp64, one loop per sum. Tests
 * compare the encoder with this code. */
#pragma once

#include <math.h>
#include <stdlib.h>

#include "host/model/encoder.h"

static inline float *reference_numbers(const struct tensor *tensor) {
  float *numbers = malloc((size_t)tensor->elements * sizeof *numbers);
  if (!numbers) abort();
  tensor_to_f32(tensor, 0, tensor->elements, numbers);
  return numbers;
}

/* y [tokens, outputs] = x [tokens, inputs] · Wᵀ + b */
static inline double *reference_linear(const struct linear *linear, const double *x, int32_t tokens) {
  const int64_t outputs = linear->weight->shape[0], inputs = linear->weight->shape[1];
  float *weight = reference_numbers(linear->weight);
  float *bias = linear->bias ? reference_numbers(linear->bias) : NULL;
  double *y = malloc((size_t)(tokens * outputs) * sizeof *y);
  if (!y) abort();
  for (int32_t t = 0; t < tokens; t++)
    for (int64_t o = 0; o < outputs; o++) {
      double sum = bias ? bias[o] : 0;
      for (int64_t i = 0; i < inputs; i++) sum += x[t * inputs + i] * weight[o * inputs + i];
      y[t * outputs + o] = sum;
    }
  free(weight);
  free(bias);
  return y;
}

static inline void reference_norm(const struct norm *norm, double epsilon, int32_t hidden, double *x,
                                  int32_t tokens) {
  float *weight = reference_numbers(norm->weight), *bias = reference_numbers(norm->bias);
  for (int64_t t = 0; t < tokens; t++) {
    double *row = x + t * hidden, mean = 0, variance = 0;
    for (int32_t i = 0; i < hidden; i++) mean += row[i] / hidden;
    for (int32_t i = 0; i < hidden; i++) variance += (row[i] - mean) * (row[i] - mean) / hidden;
    for (int32_t i = 0; i < hidden; i++)
      row[i] = (row[i] - mean) / sqrt(variance + epsilon) * weight[i] + bias[i];
  }
  free(weight);
  free(bias);
}

/* Returns context [tokens, hidden] for one sequence. */
static inline double *reference_attention(const struct model_shape *shape, const double *query,
                                          const double *key, const double *value, int32_t tokens) {
  const int32_t hidden = shape->hidden, size = shape->head_size;
  double *context = calloc((size_t)tokens * (size_t)hidden, sizeof *context),
         *weight = calloc((size_t)tokens, sizeof *weight);
  if (!context || !weight) abort();
  for (int32_t head = 0; head < shape->heads; head++)
    for (int32_t t = 0; t < tokens; t++) {
      const double *q = query + (int64_t)t * hidden + head * size;
      double top = -INFINITY, sum = 0;
      for (int32_t s = 0; s < tokens; s++) {
        weight[s] = 0;
        for (int32_t i = 0; i < size; i++)
          weight[s] += q[i] * key[(int64_t)s * hidden + head * size + i] / sqrt(size);
        top = fmax(top, weight[s]);
      }
      for (int32_t s = 0; s < tokens; s++) sum += weight[s] = exp(weight[s] - top);
      for (int32_t s = 0; s < tokens; s++)
        for (int32_t i = 0; i < size; i++)
          context[(int64_t)t * hidden + head * size + i] +=
              weight[s] / sum * value[(int64_t)s * hidden + head * size + i];
    }
  free(weight);
  return context;
}

static inline void reference_add(double *x, double *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) x[i] += y[i];
  free(y);
}

static inline void reference_layer(const struct model_shape *shape, const struct layer *layer, double *state,
                                   int32_t tokens) {
  double *query = reference_linear(&layer->query, state, tokens),
         *key = reference_linear(&layer->key, state, tokens);
  double *value = reference_linear(&layer->value, state, tokens);
  double *context = reference_attention(shape, query, key, value, tokens);
  reference_add(state, reference_linear(&layer->attention_output, context, tokens),
                (int64_t)tokens * shape->hidden);
  reference_norm(&layer->attention_norm, shape->layer_norm_eps, shape->hidden, state, tokens);
  double *inner = reference_linear(&layer->intermediate, state, tokens);
  for (int64_t i = 0; i < (int64_t)tokens * shape->ffn; i++) inner[i] *= 0.5 * (1 + erf(inner[i] / sqrt(2)));
  reference_add(state, reference_linear(&layer->output, inner, tokens), (int64_t)tokens * shape->hidden);
  reference_norm(&layer->output_norm, shape->layer_norm_eps, shape->hidden, state, tokens);
  free(query);
  free(key);
  free(value);
  free(context);
  free(inner);
}

/* One column of one mode; `column` points to its number in the sequence's first row. */
static inline double reference_column(enum pooling_mode mode, const double *column, int64_t hidden,
                                      int32_t tokens, int32_t prompt_tokens) {
  double sum = 0, weighted = 0, weights = 0, top = -INFINITY;
  for (int64_t t = prompt_tokens; t < tokens; t++) {
    sum += column[t * hidden];
    weighted += (double)(t + 1) * column[t * hidden];
    weights += (double)(t + 1);
    top = fmax(top, column[t * hidden]);
  }
  switch (mode) {
    case POOLING_CLS:
      return column[0];
    case POOLING_MAX:
      return top;
    case POOLING_MEAN:
      return sum / (tokens - prompt_tokens);
    case POOLING_MEAN_SQRT_LEN:
      return sum / sqrt(tokens - prompt_tokens);
    case POOLING_WEIGHTED_MEAN:
      return weighted / weights;
    case POOLING_LAST_TOKEN:
      return column[(tokens - 1) * hidden];
  }
  return NAN;
}

static inline double reference_activation(enum activation activation, double x) {
  switch (activation) {
    case ACTIVATION_IDENTITY:
      return x;
    case ACTIVATION_TANH:
      return tanh(x);
    case ACTIVATION_RELU:
      return fmax(x, 0);
    case ACTIVATION_GELU:
      return x * 0.5 * (1 + erf(x / sqrt(2)));
  }
  return NAN;
}

/* Replaces the pooled row with the one that the Dense modules make. */
static inline void reference_dense(const struct model *model, double *pooled) {
  for (int32_t d = 0; d < model->config.modules.dense_count; d++) {
    const struct dense_config *dense = &model->config.dense[d];
    double *y = reference_linear(&model->dense[d], pooled, 1);
    for (int32_t i = 0; i < dense->outputs; i++) pooled[i] = reference_activation(dense->activation, y[i]);
    free(y);
  }
}

/* The row [widest] of one sequence with tokens past the prompt, not normalised; `pooled` has room for the
 * widest row on the way. */
static inline void reference_pooled(const struct model *model, const int32_t *ids, int32_t tokens,
                                    int32_t prompt_tokens, double *pooled) {
  const struct model_shape *shape = &model->config.shape;
  const int64_t hidden = shape->hidden;
  float *word = reference_numbers(model->word_embedding),
        *position = reference_numbers(model->position_embedding);
  float *type = reference_numbers(model->type_embedding);
  double *state = malloc((size_t)(tokens * hidden) * sizeof *state);
  if (!state) abort();
  int64_t next = shape->first_position;
  for (int64_t t = 0; t < tokens; t++) {
    const int64_t place = ids[t] == shape->first_position - 1 ? ids[t] : next++;
    for (int64_t i = 0; i < hidden; i++)
      state[t * hidden + i] = (double)word[ids[t] * hidden + i] + position[place * hidden + i] + type[i];
  }
  reference_norm(&model->embedding_norm, shape->layer_norm_eps, shape->hidden, state, tokens);
  for (int32_t l = 0; l < shape->layers; l++) reference_layer(shape, &model->layer[l], state, tokens);
  for (int32_t m = 0; m < shape->pooling.count; m++)
    for (int64_t i = 0; i < hidden; i++)
      pooled[m * hidden + i] =
          reference_column(shape->pooling.mode[m], state + i, hidden, tokens, prompt_tokens);
  reference_dense(model, pooled);
  free(word);
  free(position);
  free(type);
  free(state);
}

/* The cosine between a stored fp16 row and a reference row, both with `width` numbers. */
static inline double reference_cosine(const float *row, const double *reference, int32_t width) {
  double product = 0, a = 0, b = 0;
  for (int32_t i = 0; i < width; i++) {
    product += row[i] * reference[i];
    a += (double)row[i] * row[i];
    b += reference[i] * reference[i];
  }
  return product / sqrt(a * b);
}
