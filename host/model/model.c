#include "host/model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/model/model_weights.h"
#include "io/hash_text.h"

static bool model_read(const char *reference, struct model *model, struct error *error) {
  if (!model_config_open(&model->config, reference, error)) return false;
  const char *place = model->config.modules.transformer;
  return model_weights_open(place, model, error) && model_weights_bind(place, model, error) &&
         model_weights_dense(model, error);
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

bool model_stands(const struct model *model, struct error *error) {
  for (int32_t i = 0; i < model->file_count; i++) {
    if (safetensors_stands(model->file[i], error)) continue;
    if (error->code == ERROR_INPUT)
      error_append(error,
                   "rows from now on would be of two models. Write a new model into a folder of its own");
    return false;
  }
  return true;
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
  hash_text(XXH3_128bits_digest(state), hash);
  XXH3_freeState(state);
  return true;
}

bool model_files_print(const struct model *model, char text[MODEL_FILES_TEXT], struct error *error) {
  uint64_t hash = 0;
  for (int32_t i = 0; i < model->file_count; i++) {
    struct look look;
    if (!safetensors_look(model->file[i], &look, error)) return false;
    const uint64_t told[] = {look.device, look.inode, (uint64_t)look.size, (uint64_t)look.changed};
    hash = XXH3_64bits_withSeed(told, sizeof told, hash);
  }
  snprintf(text, MODEL_FILES_TEXT, "%016" PRIx64, hash);
  return true;
}

/* `folder`: the tensor's module. */
typedef bool tensor_visit(void *context, const char *folder, const struct tensor *tensor);

struct visitor {
  const char *folder;
  tensor_visit *visit;
  void *context;
};

static bool tensor_pass(const struct visitor *visitor, const struct tensor *tensor) {
  return !tensor || visitor->visit(visitor->context, visitor->folder, tensor);
}

static bool linear_pass(const struct visitor *visitor, const struct linear *linear) {
  return tensor_pass(visitor, linear->weight) && tensor_pass(visitor, linear->bias);
}

static bool norm_pass(const struct visitor *visitor, const struct norm *norm) {
  return tensor_pass(visitor, norm->weight) && tensor_pass(visitor, norm->bias);
}

static bool layer_pass(const struct visitor *visitor, const struct layer *layer) {
  return linear_pass(visitor, &layer->query) && linear_pass(visitor, &layer->key) &&
         linear_pass(visitor, &layer->value) && linear_pass(visitor, &layer->attention_output) &&
         norm_pass(visitor, &layer->attention_norm) && linear_pass(visitor, &layer->intermediate) &&
         linear_pass(visitor, &layer->output) && norm_pass(visitor, &layer->output_norm);
}

/* Visits every tensor that the encoder uses, until a visit returns false. */
static bool tensors_visit(const struct model *model, tensor_visit *visit, void *context) {
  const struct modules *modules = &model->config.modules;
  struct visitor visitor = {modules->transformer, visit, context};
  bool on = tensor_pass(&visitor, model->word_embedding) &&
            tensor_pass(&visitor, model->position_embedding) &&
            tensor_pass(&visitor, model->type_embedding) && norm_pass(&visitor, &model->embedding_norm);
  for (int32_t i = 0; on && i < model->config.shape.layers; i++) on = layer_pass(&visitor, &model->layer[i]);
  for (int32_t i = 0; on && i < modules->dense_count; i++) {
    visitor.folder = modules->dense[i];
    on = linear_pass(&visitor, &model->dense[i]);
  }
  return on;
}

static bool finite_visit(void *context, const char *folder, const struct tensor *tensor) {
  struct error *error = context;
  const int64_t place = tensor_find_not_finite(tensor);
  float number;
  if (place < 0) return true;
  tensor_to_f32(tensor, place, 1, &number);
  return error_set(error, ERROR_INPUT,
                   "%s: number %lld of tensor %s is %g; expected finite weights: the file is damaged, or the "
                   "training has diverged",
                   folder, (long long)place, tensor->name, (double)number);
}

bool model_check_finite(const struct model *model, struct error *error) {
  return tensors_visit(model, finite_visit, error);
}

static bool elements_visit(void *context, const char *folder, const struct tensor *tensor) {
  (void)folder;
  *(int64_t *)context += tensor->elements;
  return true;
}

int64_t model_parameters(const struct model *model) {
  int64_t sum = 0;
  tensors_visit(model, elements_visit, &sum);
  return sum;
}
