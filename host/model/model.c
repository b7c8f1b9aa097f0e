#include "host/model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/model/model_weights.h"

static bool model_read(const char *reference, struct model *model, struct error *error) {
  if (!model_config_open(&model->config, reference, error)) return false;
  const char *place = model->config.modules.transformer;
  return model_weights_open(place, model, error) && model_weights_bind(place, model, error);
}

struct model *model_open(const char *reference, struct error *error) {
  struct model *model = calloc(1, sizeof *model);
  if (!model) {
    error_set_memory(error, sizeof *model, "the model");
    return NULL;
  }
  if (model_read(reference, model, error)) return model;
  model_close(model);
  return NULL;
}

void model_close(struct model *model) {
  if (!model) return;
  for (int32_t i = 0; i < model->file_count; i++) safetensors_close(model->file[i]);
  free(model->file);
  free(model->layer);
  model_config_close(&model->config);
  free(model);
}

bool model_hash(const struct model *model, char hash[33], struct error *error) {
  XXH3_state_t *state = XXH3_createState();
  if (!state || XXH3_128bits_reset(state) != XXH_OK) {
    XXH3_freeState(state);
    return error_set(error, ERROR_MEMORY, "out of memory for the hash of the weights");
  }
  for (int32_t i = 0; i < model->file_count; i++) {
    int64_t size;
    const void *bytes = safetensors_bytes(model->file[i], &size);
    XXH3_128bits_update(state, bytes, (size_t)size);
  }
  const XXH128_hash_t digest = XXH3_128bits_digest(state);
  snprintf(hash, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)digest.high64, (uint64_t)digest.low64);
  XXH3_freeState(state);
  return true;
}

typedef bool tensor_visit(void *context, const struct tensor *tensor);

static bool linear_visit(const struct linear *linear, tensor_visit *visit, void *context) {
  return visit(context, linear->weight) && visit(context, linear->bias);
}

static bool norm_visit(const struct norm *norm, tensor_visit *visit, void *context) {
  return visit(context, norm->weight) && visit(context, norm->bias);
}

/* Visits every tensor that the encoder uses, until a visit returns false. */
static bool tensors_visit(const struct model *model, tensor_visit *visit, void *context) {
  bool on = visit(context, model->word_embedding) && visit(context, model->position_embedding) &&
            visit(context, model->type_embedding) && norm_visit(&model->embedding_norm, visit, context);
  for (int32_t i = 0; on && i < model->config.shape.layers; i++) {
    const struct layer *layer = &model->layer[i];
    on = linear_visit(&layer->query, visit, context) && linear_visit(&layer->key, visit, context) &&
         linear_visit(&layer->value, visit, context) &&
         linear_visit(&layer->attention_output, visit, context) &&
         norm_visit(&layer->attention_norm, visit, context) &&
         linear_visit(&layer->intermediate, visit, context) && linear_visit(&layer->output, visit, context) &&
         norm_visit(&layer->output_norm, visit, context);
  }
  return on;
}

struct finite_check {
  const struct model *model;
  struct error *error;
};

static bool finite_visit(void *context, const struct tensor *tensor) {
  const struct finite_check *check = context;
  const int64_t place = tensor_find_not_finite(tensor);
  float number;
  if (place < 0) return true;
  tensor_to_f32(tensor, place, 1, &number);
  return error_set(check->error, ERROR_INPUT,
                   "%s: number %lld of tensor %s is %g; expected finite weights: the file is damaged, or the "
                   "training has diverged",
                   check->model->config.modules.transformer, (long long)place, tensor->name, (double)number);
}

bool model_check_finite(const struct model *model, struct error *error) {
  struct finite_check check = {model, error};
  return tensors_visit(model, finite_visit, &check);
}

static bool elements_visit(void *context, const struct tensor *tensor) {
  *(int64_t *)context += tensor->elements;
  return true;
}

int64_t model_parameters(const struct model *model) {
  int64_t sum = 0;
  tensors_visit(model, elements_visit, &sum);
  return sum;
}
