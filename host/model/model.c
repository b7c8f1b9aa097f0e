#include "host/model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/model/model_weights.h"

static bool model_read(const char *folder, struct model *model, struct error *error) {
  if (!model_config_open(&model->config, folder, error)) return false;
  const char *place = model->config.modules.transformer;
  return model_weights_open(place, model, error) && model_weights_bind(place, model, error);
}

struct model *model_open(const char *folder, struct error *error) {
  struct model *model = calloc(1, sizeof *model);
  if (!model) {
    error_set_memory(error, sizeof *model, "the model");
    return NULL;
  }
  if (model_read(folder, model, error)) return model;
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

static int64_t linear_elements(const struct linear *linear) {
  return linear->weight->elements + linear->bias->elements;
}

static int64_t norm_elements(const struct norm *norm) {
  return norm->weight->elements + norm->bias->elements;
}

int64_t model_parameters(const struct model *model) {
  int64_t sum = model->word_embedding->elements + model->position_embedding->elements +
                model->type_embedding->elements + norm_elements(&model->embedding_norm);
  for (int32_t i = 0; i < model->config.shape.layers; i++) {
    const struct layer *layer = &model->layer[i];
    sum += linear_elements(&layer->query) + linear_elements(&layer->key) + linear_elements(&layer->value) +
           linear_elements(&layer->attention_output) + norm_elements(&layer->attention_norm) +
           linear_elements(&layer->intermediate) + linear_elements(&layer->output) +
           norm_elements(&layer->output_norm);
  }
  return sum;
}
