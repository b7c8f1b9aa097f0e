#include "host/cpu/int8_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/linears.h"
#include "host/model/half.h"

/* Added and taken away again, rounds a float below 2^22 to the nearest whole number, ties to even. The
 * compiler vectorises this, which it cannot do with rintf for the base instruction set. */
#define ROUNDER 12582912.0f

/* The largest power of two from BYTE_BLOCK_LEAST to `most` that divides `columns`; 0 if there is none. */
static int32_t block_of(int32_t columns, int32_t most) {
  for (int32_t block = most; block >= BYTE_BLOCK_LEAST; block /= 2)
    if (columns % block == 0) return block;
  return 0;
}

/* row · H · stride / block, with the transform H that struct byte_form describes; the rows of activations are
 * multiplied by H, and H · Hᵀ is block / stride times the identity. */
static void row_rotate(float *row, int32_t columns, int32_t block, int32_t stride) {
  if (block == 0) return;
  for (int32_t distance = stride; distance < block; distance *= 2)
    for (int32_t first = 0; first < columns; first += 2 * distance)
      for (int32_t i = first; i < first + distance; i++) {
        const float a = row[i], b = row[i + distance];
        row[i] = a + b;
        row[i + distance] = a - b;
      }
  const float factor = (float)stride / (float)block;
  for (int32_t i = 0; i < columns; i++) row[i] *= factor;
}

/* The greatest absolute number; if one is not finite, the result is not either. Without the sign, numbers'
 * bits are in the order of the numbers, with infinity and then NaNs above them. */
static float row_top(const float *row, int32_t columns) {
  uint32_t top = 0;
  for (int32_t i = 0; i < columns; i++) {
    const uint32_t bits = float_bits(row[i]) & 0x7fffffff;
    top = bits > top ? bits : top;
  }
  return float_from_bits(top);
}

/* Rounds a row to bytes. Returns the number for which a step of 1 stands: NaN if a number is not finite, so
 * that no text's row can be stored. */
static float row_round(const float *row, int32_t columns, int8_t *bytes, int32_t *sum) {
  const float top = row_top(row, columns);
  const bool finite = isfinite(top);
  const float factor = top > 0 && BYTE_MAX / top < INFINITY ? BYTE_MAX / top : 0;
  int32_t total = 0;
  for (int32_t i = 0; i < columns; i++) {
    bytes[i] = finite ? (int8_t)(row[i] * factor + ROUNDER - ROUNDER) : 0;
    total += bytes[i];
  }
  *sum = total;
  return !finite ? NAN : factor > 0 ? top / BYTE_MAX : 0;
}

/* Makes one product from weight [outputs, inputs] and bias [outputs]; changes `weight`. exponents: the
 * smoothing, or NULL. bytes: a buffer for outputs · inputs. */
static bool linear_make(struct int8_linear *to, struct gemm *gemm, float *weight, const float *bias,
                        int32_t outputs, int32_t inputs, const int8_t *exponents, int32_t block,
                        int32_t stride, int8_t *bytes, struct error *error) {
  const size_t count = 3 * (size_t)outputs + (size_t)inputs;
  to->numbers = malloc(count * sizeof *to->numbers);
  if (!to->numbers) return error_set_memory(error, count * sizeof *to->numbers, "int8's scales");
  float *scale = to->numbers, *biases = scale + outputs, *factor = biases + outputs;
  int32_t *correction = (int32_t *)(void *)(factor + inputs);
  to->input = (struct byte_form){exponents ? factor : NULL, inputs, block};
  to->sums = (struct sums_form){correction, scale, biases, outputs};
  memcpy(biases, bias, (size_t)outputs * sizeof *biases);
  for (int32_t i = 0; i < inputs; i++) factor[i] = exponents ? ldexpf(1, exponents[i]) : 1;
  for (int64_t o = 0; o < outputs; o++) {
    float *row = weight + o * inputs;
    int32_t sum;
    for (int32_t i = 0; i < inputs; i++) row[i] *= factor[i];
    row_rotate(row, inputs, block, stride);
    scale[o] = row_round(row, inputs, bytes + o * inputs, &sum);
    correction[o] = -GEMM_ZERO * sum;
  }
  for (int32_t i = 0; i < inputs; i++) factor[i] = 1 / factor[i];
  to->weights = gemm_weights_pack_int8(gemm, bytes, error);
  return to->weights != NULL;
}

static void linear_free(struct int8_linear *linear) {
  gemm_weights_free(linear->weights);
  free(linear->numbers);
}

/* Buffers for one product. */
struct buffers {
  float *numbers;
  int8_t *bytes;
};

static bool layer_make(struct weights *weights, const struct model *model, int32_t l,
                       const struct int8_plan *plan, struct buffers *buffers, struct error *error) {
  const struct layer *from = &model->layer[l];
  struct int8_layer *to = weights->layer[l].int8;
  const struct linear *const projection[] = {&from->query, &from->key, &from->value};
  const struct {
    struct int8_linear *to;
    struct gemm *gemm;
    const struct linear *const *linear;
    int32_t linears;
    const int8_t *exponents;
    int32_t block_most, stride;
  } products[] = {
      {&to->projection, weights->projection, projection, 3, int8_plan_projection(plan, l), BYTE_BLOCK_MAX, 1},
      {&to->attention_output, weights->attention_output,
       (const struct linear *const[]){&from->attention_output}, 1, NULL, 0, 1},
      {&to->intermediate, weights->intermediate, (const struct linear *const[]){&from->intermediate}, 1,
       int8_plan_intermediate(plan, l), BYTE_BLOCK_MAX, 1},
      {&to->output, weights->output, (const struct linear *const[]){&from->output}, 1, NULL,
       BYTE_FAR_BLOCK_MAX, BYTE_FAR_STRIDE},
  };
  for (size_t p = 0; p < sizeof products / sizeof *products; p++) {
    const float *bias = linears_read(products[p].linear, products[p].linears, buffers->numbers);
    const int32_t inputs = (int32_t)products[p].linear[0]->weight->shape[1];
    const int32_t outputs = products[p].linears * (int32_t)products[p].linear[0]->weight->shape[0];
    if (!linear_make(products[p].to, products[p].gemm, buffers->numbers, bias, outputs, inputs,
                     products[p].exponents, block_of(inputs, products[p].block_most), products[p].stride,
                     buffers->bytes, error))
      return false;
  }
  return true;
}

bool int8_layers_pack(struct weights *weights, const struct model *model, const struct int8_plan *plan,
                      struct error *error) {
  const size_t size = linears_buffer_size(&model->config.shape);
  struct buffers buffers = {malloc(size), malloc(size / sizeof(float))};
  bool ok = buffers.numbers && buffers.bytes;
  if (!ok) error_set_memory(error, size, "rounding weights");
  for (int32_t l = 0; ok && l < weights->layers; l++) {
    weights->layer[l].int8 = calloc(1, sizeof *weights->layer[l].int8);
    ok = weights->layer[l].int8 ? layer_make(weights, model, l, plan, &buffers, error)
                                : error_set_memory(error, sizeof *weights->layer[l].int8, "a layer");
  }
  free(buffers.numbers);
  free(buffers.bytes);
  return ok;
}

void int8_layer_free(struct int8_layer *layer) {
  if (!layer) return;
  linear_free(&layer->projection);
  linear_free(&layer->attention_output);
  linear_free(&layer->intermediate);
  linear_free(&layer->output);
  free(layer);
}
