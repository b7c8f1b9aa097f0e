#include "host/model/model_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"
#include "host/model/limit.h"
#include "host/model/place.h"
#include "host/model/support.h"

/* Far above any model of these families; products of these sizes fit into int64_t. */
#define LAYERS_MAX 1000
#define HIDDEN_MAX 65536
#define FFN_MAX (1 << 20)
#define ROWS_MAX (1 << 28)

/* XLMRobertaConfig's and RobertaConfig's default if config.json has no pad_token_id. */
#define ROBERTA_PAD_TOKEN_ID 1

static bool config_expect(const struct config_file *file, const char *key, const char *expected,
                          struct error *error) {
  const json_t *member = config_member(file, key);
  const char *value = json_string_value(member);
  if (!member || (value && !strcmp(value, expected))) return true;
  char sentence[160];
  snprintf(sentence, sizeof sentence, "\"%s\", the one that is supported; " SUPPORT_TABLE, expected);
  return config_refuse(file, ERROR_UNSUPPORTED, key, member, sentence, error);
}

static bool family_read(const struct config_file *file, enum family *family, struct error *error) {
  const char *type = NULL;
  if (!config_string(file, "model_type", &type, error)) return false;
  return (type && family_parse(type, family)) ||
         config_refuse(file, ERROR_UNSUPPORTED, "model_type", config_member(file, "model_type"),
                       FAMILY_TYPES "; " SUPPORT_TABLE, error);
}

static bool position_read(const struct config_file *file, struct model_config *config, struct error *error) {
  struct model_shape *shape = &config->shape;
  int32_t pad = ROBERTA_PAD_TOKEN_ID;
  if (!config_integer_required(file, "max_position_embeddings", 2, ROWS_MAX, &shape->positions, error) ||
      !config_integer(file, "pad_token_id", 0, ROWS_MAX, &pad, error))
    return false;
  shape->first_position = family_first_position(config->family, pad);
  if (shape->positions - shape->first_position < 2)
    return config_refuse(file, ERROR_INPUT, "max_position_embeddings",
                         config_member(file, "max_position_embeddings"),
                         "at least two more than the first position (pad_token_id + 1)", error);
  return true;
}

static bool epsilon_read(const struct config_file *file, const struct family_keys *keys, float *epsilon,
                         struct error *error) {
  double number = keys->epsilon ? -1 : keys->layer_norm_eps;
  if (keys->epsilon && !config_number(file, keys->epsilon, 0, 1, &number, error)) return false;
  if (number < 0) return config_refuse(file, ERROR_INPUT, keys->epsilon, NULL, "a number", error);
  *epsilon = (float)number;
  return true;
}

static bool sizes_read(const struct config_file *file, const struct family_keys *keys,
                       struct model_shape *shape, struct error *error) {
  if (!config_integer_required(file, keys->layers, 1, LAYERS_MAX, &shape->layers, error) ||
      !config_integer_required(file, keys->hidden, 1, HIDDEN_MAX, &shape->hidden, error) ||
      !config_integer_required(file, keys->heads, 1, HIDDEN_MAX, &shape->heads, error) ||
      !config_integer_required(file, keys->ffn, 1, FFN_MAX, &shape->ffn, error) ||
      !config_integer_required(file, "vocab_size", 1, ROWS_MAX, &shape->vocabulary, error) ||
      !epsilon_read(file, keys, &shape->layer_norm_eps, error))
    return false;
  if (shape->hidden % shape->heads) {
    char expected[64];
    snprintf(expected, sizeof expected, "a divisor of %s", keys->hidden);
    return config_refuse(file, ERROR_INPUT, keys->heads, config_member(file, keys->heads), expected, error);
  }
  shape->head_size = shape->hidden / shape->heads;
  return true;
}

static bool shape_read(const char *folder, struct model_config *config, struct error *error) {
  struct config_file file;
  bool decoder = false;
  if (!config_file_read(folder, "config.json", CONFIG_REQUIRED, &file, error)) return false;
  bool done = family_read(&file, &config->family, error);
  const struct family_keys *keys = done ? family_config(config->family) : NULL;
  done = done && config_expect(&file, keys->activation, "gelu", error) &&
         config_expect(&file, "transformers_weights", "model.safetensors", error) &&
         config_expect(&file, "position_embedding_type", "absolute", error) &&
         config_flag(&file, "is_decoder", &decoder, error) &&
         sizes_read(&file, keys, &config->shape, error) && position_read(&file, config, error);
  if (done && decoder)
    done = config_refuse(&file, ERROR_UNSUPPORTED, "is_decoder", config_member(&file, "is_decoder"),
                         "an encoder: false", error);
  config_file_free(&file);
  return done;
}

static bool prompt_add(const struct config_file *file, const char *name, const json_t *value,
                       struct model_config *config, struct error *error) {
  const char *text = json_is_null(value) ? "" : json_string_value(value);
  if (!text) return config_refuse(file, ERROR_INPUT, name, value, "the text of a prompt", error);
  struct prompt *prompt = &config->prompt[config->prompt_count++];
  prompt->name = strdup(name);
  prompt->text = strdup(text);
  return (prompt->name && prompt->text) ||
         error_set_memory(error, strlen(name) + strlen(text) + 2, "a prompt");
}

static bool prompts_fill(const struct config_file *file, struct model_config *config, struct error *error) {
  const json_t *prompts = config_member(file, "prompts");
  const char *name = NULL;
  const char *chosen = NULL;
  json_t *value;
  if (!config_string(file, "default_prompt_name", &chosen, error)) return false;
  if (prompts && !json_is_object(prompts))
    return config_refuse(file, ERROR_INPUT, "prompts", prompts, "an object of names and texts", error);
  const size_t bytes = json_object_size(prompts) * sizeof *config->prompt;
  config->prompt = calloc(json_object_size(prompts) + 1, sizeof *config->prompt);
  if (!config->prompt) return error_set_memory(error, bytes, "the model's prompts");
  json_object_foreach((json_t *)prompts, name, value) {
    if (!prompt_add(file, name, value, config, error)) return false;
  }
  if (!chosen) return true;
  if (!model_config_prompt(config, chosen))
    return config_refuse(file, ERROR_INPUT, "default_prompt_name", config_member(file, "default_prompt_name"),
                         "a name among \"prompts\"", error);
  config->default_prompt = strdup(chosen);
  return config->default_prompt || error_set_memory(error, strlen(chosen) + 1, "the default prompt's name");
}

/* Reads the intended use of the vectors. Without truncate_dim, rows are whole; without similarity_fn_name,
 * the similarity is the cosine. */
static bool use_fill(const struct config_file *file, struct model_config *config, struct error *error) {
  const char *similarity = "cosine";
  config->width = config->shape.widest;
  if (!config_integer(file, "truncate_dim", 1, HIDDEN_MAX, &config->width, error) ||
      !config_string(file, "similarity_fn_name", &similarity, error))
    return false;
  if (config->width > config->shape.widest) config->width = config->shape.widest;
  config->similarity = strdup(similarity);
  return config->similarity || error_set_memory(error, strlen(similarity) + 1, "the similarity's name");
}

static bool use_read(const char *folder, struct model_config *config, struct error *error) {
  struct config_file file;
  if (!config_file_read(folder, "config_sentence_transformers.json", CONFIG_OPTIONAL, &file, error))
    return false;
  const bool done = use_fill(&file, config, error) && prompts_fill(&file, config, error);
  config_file_free(&file);
  return done;
}

/* Reads the modules after the transformer; each takes the row of the one before. */
static bool row_read(struct model_config *config, struct error *error) {
  struct model_shape *shape = &config->shape;
  if (!pooling_read(config->modules.pooling, shape->hidden, &shape->pooling, &shape->pool_prompt, error))
    return false;
  shape->widest = shape->hidden * shape->pooling.count;
  for (int32_t i = 0; i < config->modules.dense_count; i++) {
    if (!dense_read(config->modules.dense[i], shape->widest, &config->dense[i], error)) return false;
    shape->widest = config->dense[i].outputs;
  }
  return true;
}

/* Takes over `folder`. */
static bool config_read(char *folder, struct model_config *config, struct error *error) {
  const struct modules *modules = &config->modules;
  struct model_shape *shape = &config->shape;
  config->folder = folder;
  config->name = place_name(folder, error);
  return config->name && support_check(folder, error) && place_check_whole(folder, error) &&
         modules_read(folder, &config->modules, error) && shape_read(modules->transformer, config, error) &&
         row_read(config, error) &&
         limit_read(modules->transformer, shape->positions - shape->first_position, &shape->max_tokens,
                    error) &&
         use_read(folder, config, error);
}

bool model_config_open(struct model_config *config, const char *reference, struct error *error) {
  *config = (struct model_config){0};
  char *folder = place_find(reference, error);
  if (folder && config_read(folder, config, error)) return true;
  model_config_close(config);
  return false;
}

void model_config_close(struct model_config *config) {
  for (int32_t i = 0; i < config->prompt_count; i++) {
    free(config->prompt[i].name);
    free(config->prompt[i].text);
  }
  free(config->prompt);
  free(config->default_prompt);
  free(config->similarity);
  modules_free(&config->modules);
  free(config->name);
  free(config->folder);
  *config = (struct model_config){0};
}

bool model_config_loses_lengths(const struct model_config *config) {
  return !config->modules.normalise && strcmp(config->similarity, "cosine") != 0;
}

const char *model_config_prompt(const struct model_config *config, const char *name) {
  for (int32_t i = 0; i < config->prompt_count; i++)
    if (!strcmp(config->prompt[i].name, name)) return config->prompt[i].text;
  return NULL;
}
