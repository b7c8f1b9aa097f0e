#include "host/cpu/int8_calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/aligned.h"
#include "host/cpu/linears.h"
#include "host/cpu/weights.h"

#define PURPOSE "int8's calibration"
#define EXPONENT_MAX 4 /* smoothing factors from 1/16 to 16 */

/* Everything that a layer's run needs. */
struct calibration {
  const struct kernels *kernels;
  const struct model *model;
  const struct batch *texts;
  struct weights weights;
  struct gemm_thread *thread;
  int32_t tokens;
  float *state;                        /* [tokens, hidden] */
  float *projected, *context, *addend; /* [tokens, 3 · hidden], [tokens, hidden], [tokens, hidden] */
  float *inner;                        /* [tokens, ffn] */
  float *buffer;                       /* one product's fp32 weights and biases */
  double *size, *norm;                 /* [hidden]: a channel's activations and weights */
  void *scratch;
};

static bool calibration_open(struct calibration *this, const struct model *model, const struct batch *texts,
                             enum isa isa, struct error *error) {
  const struct model_shape *shape = &model->config.shape;
  const struct attention_shape attention = {shape->heads, shape->head_size, 0};
  const size_t hidden = (size_t)shape->hidden, ffn = (size_t)shape->ffn;
  this->model = model;
  this->texts = texts;
  this->tokens = texts->offsets[texts->sequences];
  this->kernels = kernels_for(isa, shape->hidden, shape->head_size, shape->ffn);
  const size_t tokens = (size_t)this->tokens, row = tokens * sizeof(float);
  return weights_open_frame(&this->weights, model, PRECISION_FP32, this->tokens, error) &&
         (this->thread = gemm_thread_open(this->weights.engine, error)) &&
         (this->state = aligned_allocate(row * hidden, PURPOSE, error)) &&
         (this->projected = aligned_allocate(row * 3 * hidden, PURPOSE, error)) &&
         (this->context = aligned_allocate(row * hidden, PURPOSE, error)) &&
         (this->addend = aligned_allocate(row * hidden, PURPOSE, error)) &&
         (this->inner = aligned_allocate(row * ffn, PURPOSE, error)) &&
         (this->buffer = aligned_allocate(linears_buffer_size(shape), PURPOSE, error)) &&
         (this->size = aligned_allocate(hidden * sizeof *this->size, PURPOSE, error)) &&
         (this->norm = aligned_allocate(hidden * sizeof *this->norm, PURPOSE, error)) &&
         (this->scratch = aligned_allocate(attention_scratch(&attention, this->tokens), PURPOSE, error));
}

static void calibration_close(struct calibration *this) {
  gemm_thread_close(this->thread);
  weights_close(&this->weights);
  free(this->state);
  free(this->projected);
  free(this->context);
  free(this->addend);
  free(this->inner);
  free(this->buffer);
  free(this->size);
  free(this->norm);
  free(this->scratch);
}

/* norm [hidden] = each column's length in the matrices of `count` linear layers. */
static void columns_measure(struct calibration *this, const struct linear *const *linear, int count) {
  const int32_t hidden = this->model->config.shape.hidden;
  memset(this->norm, 0, (size_t)hidden * sizeof *this->norm);
  for (int i = 0; i < count; i++) {
    const int64_t rows = linear[i]->weight->elements / hidden;
    tensor_to_f32(linear[i]->weight, 0, linear[i]->weight->elements, this->buffer);
    for (int64_t r = 0; r < rows; r++)
      for (int32_t c = 0; c < hidden; c++)
        this->norm[c] += (double)this->buffer[r * hidden + c] * this->buffer[r * hidden + c];
  }
  for (int32_t c = 0; c < hidden; c++) this->norm[c] = sqrt(this->norm[c]);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* size [hidden] = each channel's root mean square in the state. */
static void channels_measure(struct calibration *this) {
  const int32_t hidden = this->model->config.shape.hidden;
  memset(this->size, 0, (size_t)hidden * sizeof *this->size);
  for (int64_t t = 0; t < this->tokens; t++)
    for (int32_t c = 0; c < hidden; c++)
      this->size[c] += (double)this->state[t * hidden + c] * this->state[t * hidden + c];
  for (int32_t c = 0; c < hidden; c++) this->size[c] = sqrt(this->size[c] / this->tokens);
}

/* The greatest size divided by the median. Sorts the sizes. */
static float sizes_spread(double *size, int32_t count) {
  qsort(size, (size_t)count, sizeof *size, ascending);
  return size[count / 2] > 0 ? (float)(size[count - 1] / size[count / 2]) : 0;
}

/* Smoothing shares the difficulty of wide channels between activations and weights: the factor is
 * sqrt(activation / weight), relative to the channels' geometric mean, as the nearest power of two. A channel
 * that is always zero, or never finite, gets no factor. */
static float channels_smooth(struct calibration *this, const struct linear *const *linear, int count,
                             int8_t *exponents) {
  const int32_t hidden = this->model->config.shape.hidden;
  double sum = 0;
  int32_t used = 0;
  channels_measure(this);
  columns_measure(this, linear, count);
  for (int32_t c = 0; c < hidden; c++) {
    const double ratio = this->size[c] / this->norm[c];
    this->norm[c] = isfinite(ratio) && ratio > 0 ? log2(ratio) / 2 : NAN;
    if (isnan(this->norm[c])) continue;
    sum += this->norm[c];
    used++;
  }
  const double mean = used > 0 ? sum / used : 0;
  for (int32_t c = 0; c < hidden; c++) {
    const double exponent = isnan(this->norm[c]) ? 0 : rint(this->norm[c] - mean);
    exponents[c] = (int8_t)fmax(-EXPONENT_MAX, fmin(EXPONENT_MAX, exponent));
  }
  return sizes_spread(this->size, hidden);
}

static void texts_embed(struct calibration *this) {
  const struct model_shape *shape = &this->model->config.shape;
  const struct batch *texts = this->texts;
  for (int32_t s = 0; s < texts->sequences; s++) {
    const int32_t first = texts->offsets[s], count = texts->offsets[s + 1] - first;
    this->kernels->embed(&this->weights.embedding, &this->weights.embedding_norm, texts->ids + first,
                         shape->first_position, count, this->state + (int64_t)first * shape->hidden, NULL);
  }
}

static void texts_attend(struct calibration *this) {
  const struct model_shape *shape = &this->model->config.shape;
  const struct attention_shape attention = {shape->heads, shape->head_size,
                                            1 / sqrtf((float)shape->head_size)};
  const int64_t hidden = shape->hidden;
  for (int32_t s = 0; s < this->texts->sequences; s++) {
    const int64_t first = this->texts->offsets[s];
    const int32_t count = this->texts->offsets[s + 1] - this->texts->offsets[s];
    this->kernels->attention_f32(&attention, this->projected + 3 * first * hidden, count, count,
                                 this->context + first * hidden, this->scratch);
  }
}

/* Measures layer `l`, and brings the state to its output. */
static bool layer_measure(struct calibration *this, int32_t l, struct int8_plan *plan, struct error *error) {
  const struct layer *from = &this->model->layer[l];
  struct weights *weights = &this->weights;
  struct layer_weights *layer = &weights->layer[l];
  const struct linear *const projection[] = {&from->query, &from->key, &from->value};
  const struct linear *const intermediate[] = {&from->intermediate};
  int8_t *exponents = int8_plan_exponents(plan, l);
  if (!weights_layer_pack(weights, this->model, l, this->buffer, error)) return false;
  plan->layer[l].projection_spread = channels_smooth(this, projection, 3, exponents);
  if (!gemm_run(weights->projection, layer->projection, this->thread, this->tokens, this->state,
                this->projected, error))
    return false;
  texts_attend(this);
  if (!gemm_run(weights->attention_output, layer->attention_output, this->thread, this->tokens, this->context,
                this->addend, error))
    return false;
  this->kernels->add_norm(&layer->attention_norm, this->addend, this->tokens, this->state, NULL);
  plan->layer[l].intermediate_spread = channels_smooth(this, intermediate, 1, exponents + plan->hidden);
  if (!gemm_run(weights->intermediate, layer->intermediate, this->thread, this->tokens, this->state,
                this->inner, error))
    return false;
  this->kernels->gelu_f32(this->inner, (size_t)this->tokens * (size_t)this->model->config.shape.ffn);
  if (!gemm_run(weights->output, layer->output, this->thread, this->tokens, this->inner, this->addend, error))
    return false;
  this->kernels->add_norm(&layer->output_norm, this->addend, this->tokens, this->state, NULL);
  weights_layer_free(layer);
  return true;
}

struct int8_plan *int8_calibrate(const struct model *model, const struct batch *texts, enum isa isa,
                                 struct error *error) {
  const struct model_shape *shape = &model->config.shape;
  const size_t size = int8_plan_size(shape->layers, shape->hidden);
  struct calibration calibration = {0};
  struct int8_plan *plan = calloc(1, size);
  if (!plan) {
    error_set_memory(error, size, "int8's plan");
    return NULL;
  }
  plan->layers = shape->layers;
  plan->hidden = shape->hidden;
  bool ok = batch_check(texts, shape->vocabulary, INT8_CALIBRATION_TOKENS, shape->max_tokens, error) &&
            calibration_open(&calibration, model, texts, isa, error);
  if (ok) {
    gemm_thread_enter();
    texts_embed(&calibration);
  }
  for (int32_t l = 0; ok && l < plan->layers; l++) ok = layer_measure(&calibration, l, plan, error);
  calibration_close(&calibration);
  if (ok) return plan;
  free(plan);
  return NULL;
}
