#include "host/model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/model/model_config.h"
#include "host/model/model_weights.h"
#include "host/model/modules.h"
#include "io/file.h"

/* The folder's own name also where it is given as "." or with a slash at its end. */
static char *folder_name(const char *folder) {
  char *real = realpath(folder, NULL);
  if (!real) return NULL;
  const char *slash = strrchr(real, '/');
  char *name = strdup(slash && slash[1] ? slash + 1 : real);
  free(real);
  return name;
}

static bool model_read(const char *folder, struct model *model, struct error *error) {
  struct modules modules;
  if (!file_check_folder(folder, error) || !modules_read(folder, &modules, error)) return false;
  model->folder = strdup(folder);
  model->name = folder_name(folder);
  const bool done = model->folder && model->name
                        ? model_config_read(folder, &modules, model, error) &&
                              model_weights_open(modules.transformer, model, error) &&
                              model_weights_bind(modules.transformer, model, error)
                        : error_set_memory(error, strlen(folder), "the model's name");
  modules_free(&modules);
  return done;
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
  for (int32_t i = 0; i < model->prompt_count; i++) {
    free(model->prompt[i].name);
    free(model->prompt[i].text);
  }
  free(model->file);
  free(model->prompt);
  free(model->default_prompt);
  free(model->layer);
  free(model->model_type);
  free(model->name);
  free(model->folder);
  free(model);
}

const char *model_prompt(const struct model *model, const char *name) {
  for (int32_t i = 0; i < model->prompt_count; i++)
    if (!strcmp(model->prompt[i].name, name)) return model->prompt[i].text;
  return NULL;
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
  for (int32_t i = 0; i < model->shape.layers; i++) {
    const struct layer *layer = &model->layer[i];
    sum += linear_elements(&layer->query) + linear_elements(&layer->key) + linear_elements(&layer->value) +
           linear_elements(&layer->attention_output) + norm_elements(&layer->attention_norm) +
           linear_elements(&layer->intermediate) + linear_elements(&layer->output) +
           norm_elements(&layer->output_norm);
  }
  return sum;
}
