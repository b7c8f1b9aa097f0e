#include "host/cpu/weights.h"

#include <stdlib.h>
#include <string.h>

#include "host/cpu/int8_weights.h"
#include "host/cpu/linears.h"

static bool gemms_open(struct weights *weights, const struct model_shape *shape, enum precision precision,
                       int32_t max_rows, struct error *error) {
  const struct {
    struct gemm **gemm;
    int32_t outputs, inputs;
    bool fp32_output;
  } gemms[] = {{&weights->projection, 3 * shape->hidden, shape->hidden, false},
               {&weights->attention_output, shape->hidden, shape->hidden, true},
               {&weights->intermediate, shape->ffn, shape->hidden, false},
               {&weights->output, shape->hidden, shape->ffn, true}};
  weights->engine = gemm_engine_open(error);
  if (!weights->engine) return false;
  for (size_t i = 0; i < sizeof gemms / sizeof *gemms; i++) {
    const struct gemm_shape wanted = {gemms[i].outputs, gemms[i].inputs, max_rows, precision,
                                      gemms[i].fp32_output};
    *gemms[i].gemm = gemm_open(weights->engine, &wanted, error);
    if (!*gemms[i].gemm) return false;
  }
  return true;
}

/* Converts a tensor into the next numbers at *at. */
static const float *norm_vector(const struct tensor *tensor, float **at) {
  float *vector = *at;
  tensor_to_f32(tensor, 0, tensor->elements, vector);
  *at += tensor->elements;
  return vector;
}

static struct norm_weights norm_read(const struct norm *norm, const struct model_shape *shape, float **at) {
  const float *weight = norm_vector(norm->weight, at);
  return (struct norm_weights){weight, norm_vector(norm->bias, at), shape->layer_norm_eps, shape->hidden};
}

/* Reads the norms, and the position table with row 0 of the type table, if there is one, added. */
static bool numbers_read(struct weights *weights, const struct model *model, struct error *error) {
  const struct model_shape *shape = &model->config.shape;
  const size_t hidden = (size_t)shape->hidden, positions = (size_t)shape->positions;
  const size_t count = (positions + 2 * (1 + 2 * (size_t)shape->layers) + 1) * hidden;
  float *at = weights->numbers = malloc(count * sizeof *at);
  if (!at) return error_set_memory(error, count * sizeof *at, "norms and positions");
  weights->embedding_norm = norm_read(&model->embedding_norm, shape, &at);
  for (int32_t l = 0; l < shape->layers; l++) {
    weights->layer[l].attention_norm = norm_read(&model->layer[l].attention_norm, shape, &at);
    weights->layer[l].output_norm = norm_read(&model->layer[l].output_norm, shape, &at);
  }
  float *position = at, *type = at + positions * hidden;
  tensor_to_f32(model->position_embedding, 0, model->position_embedding->elements, position);
  memset(type, 0, hidden * sizeof *type);
  if (model->type_embedding) tensor_to_f32(model->type_embedding, 0, shape->hidden, type);
  for (size_t p = 0; p < positions; p++)
    for (size_t i = 0; i < hidden; i++) position[p * hidden + i] += type[i];
  weights->embedding =
      (struct embedding_tables){model->word_embedding->data, model->word_embedding->dtype, position};
  return true;
}

static struct gemm_weights *linears_pack(struct gemm *gemm, const struct linear *const *linear, int count,
                                         float *buffer, struct error *error) {
  const float *bias = linears_read(linear, count, buffer);
  return gemm_weights_pack(gemm, buffer, bias, error);
}

bool weights_layer_pack(struct weights *weights, const struct model *model, int32_t layer, float *buffer,
                        struct error *error) {
  const struct layer *from = &model->layer[layer];
  struct layer_weights *to = &weights->layer[layer];
  const struct linear *const projection[] = {&from->query, &from->key, &from->value};
  const struct linear *const attention_output = &from->attention_output;
  const struct linear *const intermediate = &from->intermediate;
  const struct linear *const output = &from->output;
  to->projection = linears_pack(weights->projection, projection, 3, buffer, error);
  if (!to->projection) return false;
  to->attention_output = linears_pack(weights->attention_output, &attention_output, 1, buffer, error);
  if (!to->attention_output) return false;
  to->intermediate = linears_pack(weights->intermediate, &intermediate, 1, buffer, error);
  if (!to->intermediate) return false;
  to->output = linears_pack(weights->output, &output, 1, buffer, error);
  return to->output;
}

void weights_layer_free(struct layer_weights *layer) {
  gemm_weights_free(layer->projection);
  gemm_weights_free(layer->attention_output);
  gemm_weights_free(layer->intermediate);
  gemm_weights_free(layer->output);
  layer->projection = layer->attention_output = layer->intermediate = layer->output = NULL;
  int8_layer_free(layer->int8);
  layer->int8 = NULL;
}

/* If there is no bias, the product gets a bias of zeros. */
static bool dense_pack(struct gemm_engine *engine, const struct dense_config *config,
                       const struct linear *from, struct dense_weights *to, struct error *error) {
  const struct gemm_shape shape = {config->outputs, config->inputs, DENSE_ROWS, PRECISION_FP32, true};
  const size_t weights = (size_t)from->weight->elements, outputs = (size_t)config->outputs;
  float *buffer = calloc(weights + outputs, sizeof *buffer);
  if (!buffer) return error_set_memory(error, (weights + outputs) * sizeof *buffer, "converting weights");
  to->config = *config;
  tensor_to_f32(from->weight, 0, from->weight->elements, buffer);
  if (from->bias) tensor_to_f32(from->bias, 0, from->bias->elements, buffer + weights);
  to->gemm = gemm_open(engine, &shape, error);
  if (to->gemm) to->weights = gemm_weights_pack(to->gemm, buffer, buffer + weights, error);
  free(buffer);
  return to->weights != NULL;
}

bool weights_open_frame(struct weights *weights, const struct model *model, enum precision precision,
                        int32_t max_rows, struct error *error) {
  const struct model_shape *shape = &model->config.shape;
  memset(weights, 0, sizeof *weights);
  weights->layers = shape->layers;
  weights->layer = calloc((size_t)shape->layers, sizeof *weights->layer);
  if (!weights->layer)
    return error_set_memory(error, (size_t)shape->layers * sizeof *weights->layer, "layers");
  return gemms_open(weights, shape, precision, max_rows, error) && numbers_read(weights, model, error);
}

static bool layers_pack(struct weights *weights, const struct model *model,
                        const struct weights_options *options, struct error *error) {
  const struct model_shape *shape = &model->config.shape;
  const size_t size = linears_buffer_size(shape);
  bool ok = true;
  if (options->precision == PRECISION_INT8) return int8_layers_pack(weights, model, options->plan, error);
  float *buffer = malloc(size);
  if (!buffer) return error_set_memory(error, size, "converting weights");
  for (int32_t l = 0; ok && l < shape->layers; l++) ok = weights_layer_pack(weights, model, l, buffer, error);
  free(buffer);
  return ok;
}

static bool dense_modules_pack(struct weights *weights, const struct model *model, struct error *error) {
  for (; weights->dense_count < model->config.modules.dense_count; weights->dense_count++) {
    const int32_t d = weights->dense_count;
    if (!dense_pack(weights->engine, &model->config.dense[d], &model->dense[d], &weights->dense[d], error))
      return false;
  }
  return true;
}

bool weights_open(struct weights *weights, const struct model *model, const struct weights_options *options,
                  struct error *error) {
  if (weights_open_frame(weights, model, options->precision, options->max_rows, error) &&
      layers_pack(weights, model, options, error) && dense_modules_pack(weights, model, error))
    return true;
  weights_close(weights);
  return false;
}

void weights_close(struct weights *weights) {
  for (int32_t l = 0; weights->layer && l < weights->layers; l++) weights_layer_free(&weights->layer[l]);
  for (int32_t d = 0; d < DENSE_MAX; d++) {
    gemm_weights_free(weights->dense[d].weights);
    gemm_close(weights->dense[d].gemm);
  }
  free(weights->layer);
  free(weights->numbers);
  gemm_close(weights->projection);
  gemm_close(weights->attention_output);
  gemm_close(weights->intermediate);
  gemm_close(weights->output);
  gemm_engine_close(weights->engine);
  memset(weights, 0, sizeof *weights);
}
