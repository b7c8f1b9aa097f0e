#include "host/model/model_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/config_file.h"

/* Far above any model of this family; they keep products of sizes inside int64_t. */
#define LAYERS_MAX 1000
#define HIDDEN_MAX 65536
#define FFN_MAX (1 << 20)
#define ROWS_MAX (1 << 28)

/* tokenizer_config.json says 10^30 where nobody set a limit. */
#define MODEL_MAX_LENGTH_SANE 1000000

/* XLMRobertaConfig's and RobertaConfig's own default, for a config.json that leaves it out. */
#define ROBERTA_PAD_TOKEN_ID 1

static bool config_expect(const struct config_file *file, const char *key, const char *expected,
                          struct error *error) {
  const json_t *member = config_member(file, key);
  const char *value = json_string_value(member);
  if (!member || (value && !strcmp(value, expected))) return true;
  char sentence[64];
  snprintf(sentence, sizeof sentence, "\"%s\", the one that is supported", expected);
  return config_refuse(file, ERROR_UNSUPPORTED, key, member, sentence, error);
}

static bool type_read(const struct config_file *file, struct model *model, struct error *error) {
  const char *type = NULL;
  if (!config_string(file, "model_type", &type, error)) return false;
  if (!type || (strcmp(type, "xlm-roberta") && strcmp(type, "roberta") && strcmp(type, "bert")))
    return config_refuse(file, ERROR_UNSUPPORTED, "model_type", config_member(file, "model_type"),
                         "\"xlm-roberta\", \"roberta\" or \"bert\"", error);
  model->model_type = strdup(type);
  return model->model_type || error_set_memory(error, strlen(type) + 1, "the model's type");
}

static bool position_read(const struct config_file *file, struct model *model, struct error *error) {
  struct model_shape *shape = &model->shape;
  int32_t pad = ROBERTA_PAD_TOKEN_ID;
  if (!config_integer_required(file, "max_position_embeddings", 2, ROWS_MAX, &shape->positions, error) ||
      !config_integer(file, "pad_token_id", 0, ROWS_MAX, &pad, error))
    return false;
  shape->first_position = strcmp(model->model_type, "bert") == 0 ? 0 : pad + 1;
  if (shape->positions - shape->first_position < 2)
    return config_refuse(file, ERROR_INPUT, "max_position_embeddings",
                         config_member(file, "max_position_embeddings"),
                         "at least two more than the first position (pad_token_id + 1)", error);
  return true;
}

static bool sizes_read(const struct config_file *file, struct model_shape *shape, struct error *error) {
  double epsilon = -1;
  if (!config_integer_required(file, "num_hidden_layers", 1, LAYERS_MAX, &shape->layers, error) ||
      !config_integer_required(file, "hidden_size", 1, HIDDEN_MAX, &shape->hidden, error) ||
      !config_integer_required(file, "num_attention_heads", 1, HIDDEN_MAX, &shape->heads, error) ||
      !config_integer_required(file, "intermediate_size", 1, FFN_MAX, &shape->ffn, error) ||
      !config_integer_required(file, "vocab_size", 1, ROWS_MAX, &shape->vocabulary, error) ||
      !config_number(file, "layer_norm_eps", 0, 1, &epsilon, error))
    return false;
  if (epsilon < 0) return config_refuse(file, ERROR_INPUT, "layer_norm_eps", NULL, "a number", error);
  if (shape->hidden % shape->heads)
    return config_refuse(file, ERROR_INPUT, "num_attention_heads", config_member(file, "num_attention_heads"),
                         "a divisor of hidden_size", error);
  shape->head_size = shape->hidden / shape->heads;
  shape->layer_norm_eps = (float)epsilon;
  return true;
}

static bool shape_read(const char *folder, struct model *model, struct error *error) {
  struct config_file file;
  bool decoder = false;
  if (!config_file_read(folder, "config.json", CONFIG_REQUIRED, &file, error)) return false;
  bool done = type_read(&file, model, error) && config_expect(&file, "hidden_act", "gelu", error) &&
              config_expect(&file, "position_embedding_type", "absolute", error) &&
              config_flag(&file, "is_decoder", &decoder, error) && sizes_read(&file, &model->shape, error) &&
              position_read(&file, model, error);
  if (done && decoder)
    done = config_refuse(&file, ERROR_UNSUPPORTED, "is_decoder", config_member(&file, "is_decoder"),
                         "an encoder: false", error);
  config_file_free(&file);
  return done;
}

/* pooling_mode of sentence-transformers 5 and later: a name, or a list of names whose vectors are
 * concatenated. */
static bool pooling_by_name(const struct config_file *file, enum pooling *pooling, struct error *error) {
  const json_t *member = config_member(file, "pooling_mode");
  const json_t *name =
      json_is_array(member) && json_array_size(member) == 1 ? json_array_get(member, 0) : member;
  const char *value = json_string_value(name);
  if (value && !strcmp(value, "cls"))
    *pooling = POOLING_CLS;
  else if (value && !strcmp(value, "mean"))
    *pooling = POOLING_MEAN;
  else
    return config_refuse(file, ERROR_UNSUPPORTED, "pooling_mode", member, "\"cls\" or \"mean\"", error);
  return true;
}

/* One flag per mode, as earlier versions wrote them; where none is set they pool by the mean, and so do we.
 */
static bool pooling_by_flags(const struct config_file *file, enum pooling *pooling, struct error *error) {
  static const char prefix[] = "pooling_mode_";
  const char *key;
  json_t *value;
  const char *found = NULL;
  json_object_foreach(file->root, key, value) {
    if (strncmp(key, prefix, sizeof prefix - 1) != 0 || !json_is_true(value)) continue;
    const bool known = !strcmp(key, "pooling_mode_cls_token") || !strcmp(key, "pooling_mode_mean_tokens");
    if (!known || found)
      return config_refuse(file, ERROR_UNSUPPORTED, key, value,
                           "exactly one of pooling_mode_cls_token and pooling_mode_mean_tokens to be true",
                           error);
    found = key;
  }
  *pooling = found && !strcmp(found, "pooling_mode_cls_token") ? POOLING_CLS : POOLING_MEAN;
  return true;
}

static bool dimension_check(const struct config_file *file, int32_t hidden, struct error *error) {
  static const char *const names[] = {"word_embedding_dimension", "embedding_dimension"};
  for (int i = 0; i < 2; i++) {
    int32_t dimension = hidden;
    if (!config_integer(file, names[i], 1, HIDDEN_MAX, &dimension, error)) return false;
    if (dimension != hidden)
      return config_refuse(file, ERROR_INPUT, names[i], config_member(file, names[i]),
                           "the hidden_size of config.json", error);
  }
  return true;
}

static bool pooling_read(const char *folder, struct model_shape *shape, struct error *error) {
  struct config_file file;
  if (!config_file_read(folder, "config.json", CONFIG_REQUIRED, &file, error)) return false;
  shape->pool_prompt = true;
  bool done = (config_member(&file, "pooling_mode") ? pooling_by_name(&file, &shape->pooling, error)
                                                    : pooling_by_flags(&file, &shape->pooling, error)) &&
              config_flag(&file, "include_prompt", &shape->pool_prompt, error) &&
              dimension_check(&file, shape->hidden, error);
  if (done && !shape->pool_prompt && shape->pooling != POOLING_MEAN)
    done = config_refuse(&file, ERROR_UNSUPPORTED, "include_prompt", config_member(&file, "include_prompt"),
                         "true, or mean pooling", error);
  config_file_free(&file);
  return done;
}

/* max_seq_length stands in a file that early versions named after the model. */
static bool sentence_limit_read(const char *folder, int32_t *limit, struct error *error) {
  static const char *const names[] = {"sentence_bert_config.json", "sentence_roberta_config.json",
                                      "sentence_xlm-roberta_config.json"};
  for (int i = 0; i < 3; i++) {
    struct config_file file;
    bool lower = false;
    if (!config_file_read(folder, names[i], CONFIG_OPTIONAL, &file, error)) return false;
    const bool there = file.root != NULL;
    bool done = config_integer(&file, "max_seq_length", 2, ROWS_MAX, limit, error) &&
                config_flag(&file, "do_lower_case", &lower, error);
    if (done && lower)
      done = config_refuse(&file, ERROR_UNSUPPORTED, "do_lower_case", config_member(&file, "do_lower_case"),
                           "false", error);
    config_file_free(&file);
    if (!done || there) return done;
  }
  return true;
}

static bool limit_read(const char *folder, struct model_shape *shape, struct error *error) {
  struct config_file file;
  int32_t sentence = ROWS_MAX;
  double tokenizer = ROWS_MAX;
  if (!sentence_limit_read(folder, &sentence, error)) return false;
  if (!config_file_read(folder, "tokenizer_config.json", CONFIG_OPTIONAL, &file, error)) return false;
  const bool done = config_number(&file, "model_max_length", 2, 1e300, &tokenizer, error);
  config_file_free(&file);
  if (!done) return false;
  shape->max_tokens = shape->positions - shape->first_position;
  if (sentence < shape->max_tokens) shape->max_tokens = sentence;
  if (tokenizer <= MODEL_MAX_LENGTH_SANE && tokenizer < shape->max_tokens)
    shape->max_tokens = (int32_t)tokenizer;
  return true;
}

static bool prompt_add(const struct config_file *file, const char *name, const json_t *value,
                       struct model *model, struct error *error) {
  const char *text = json_is_null(value) ? "" : json_string_value(value);
  if (!text) return config_refuse(file, ERROR_INPUT, name, value, "the text of a prompt", error);
  struct prompt *prompt = &model->prompt[model->prompt_count++];
  prompt->name = strdup(name);
  prompt->text = strdup(text);
  return (prompt->name && prompt->text) ||
         error_set_memory(error, strlen(name) + strlen(text) + 2, "a prompt");
}

static bool prompts_fill(const struct config_file *file, struct model *model, struct error *error) {
  const json_t *prompts = config_member(file, "prompts");
  const char *name = NULL;
  const char *chosen = NULL;
  json_t *value;
  if (!config_string(file, "default_prompt_name", &chosen, error)) return false;
  if (prompts && !json_is_object(prompts))
    return config_refuse(file, ERROR_INPUT, "prompts", prompts, "an object of names and texts", error);
  const size_t bytes = json_object_size(prompts) * sizeof *model->prompt;
  model->prompt = calloc(json_object_size(prompts) + 1, sizeof *model->prompt);
  if (!model->prompt) return error_set_memory(error, bytes, "the model's prompts");
  json_object_foreach((json_t *)prompts, name, value) {
    if (!prompt_add(file, name, value, model, error)) return false;
  }
  if (!chosen) return true;
  if (!model_prompt(model, chosen))
    return config_refuse(file, ERROR_INPUT, "default_prompt_name", config_member(file, "default_prompt_name"),
                         "a name among \"prompts\"", error);
  model->default_prompt = strdup(chosen);
  return model->default_prompt || error_set_memory(error, strlen(chosen) + 1, "the default prompt's name");
}

static bool prompts_read(const char *folder, struct model *model, struct error *error) {
  struct config_file file;
  if (!config_file_read(folder, "config_sentence_transformers.json", CONFIG_OPTIONAL, &file, error))
    return false;
  const bool done = prompts_fill(&file, model, error);
  config_file_free(&file);
  return done;
}

bool model_config_read(const char *folder, const struct modules *modules, struct model *model,
                       struct error *error) {
  return shape_read(modules->transformer, model, error) &&
         pooling_read(modules->pooling, &model->shape, error) &&
         limit_read(modules->transformer, &model->shape, error) && prompts_read(folder, model, error);
}
