#include "tests/bench/model_folder.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "tests/bench/random_weights.h"

#define FILE_MOST ((size_t)64 << 20) /* for a tokenizer's file */
#define XLM_ROBERTA_ROWS 250002

struct named_shape {
  const char *name;
  int32_t hidden, layers, heads, ffn, positions, vocabulary;
};

static const struct named_shape shapes[] = {{"bge-m3", 1024, 24, 16, 4096, 8194, XLM_ROBERTA_ROWS},
                                            {"e5-large", 1024, 24, 16, 4096, 514, XLM_ROBERTA_ROWS},
                                            {"e5-base", 768, 12, 12, 3072, 514, XLM_ROBERTA_ROWS},
                                            {"tiny", 64, 2, 2, 128, 514, 1024}};

/* --- Weights ------------------------------------------------------------------------------------------- */

/* The spread keeps every activation near 1. */
static bool tensor_add(struct random_weights *weights, const char *prefix, const char *name, int64_t rows,
                       int64_t columns, struct error *error) {
  struct random_tensor tensor = {.rows = rows, .columns = columns};
  snprintf(tensor.name, sizeof tensor.name, "%s%s", prefix, name);
  tensor.spread = columns == 0                             ? 0.02f
                  : strncmp(prefix, "embeddings", 10) == 0 ? 0.5f
                                                           : 1 / sqrtf((float)columns);
  tensor.centre = strstr(name, "LayerNorm.weight") ? 1 : 0;
  return random_weights_add(weights, &tensor, error);
}

static bool norm_add(struct random_weights *weights, const char *prefix, const char *name, int64_t hidden,
                     struct error *error) {
  char weight[64], bias[64];
  snprintf(weight, sizeof weight, "%sLayerNorm.weight", name);
  snprintf(bias, sizeof bias, "%sLayerNorm.bias", name);
  return tensor_add(weights, prefix, weight, hidden, 0, error) &&
         tensor_add(weights, prefix, bias, hidden, 0, error);
}

static bool linear_add(struct random_weights *weights, const char *prefix, const char *name, int64_t outputs,
                       int64_t inputs, struct error *error) {
  char weight[64], bias[64];
  snprintf(weight, sizeof weight, "%s.weight", name);
  snprintf(bias, sizeof bias, "%s.bias", name);
  return tensor_add(weights, prefix, weight, outputs, inputs, error) &&
         tensor_add(weights, prefix, bias, outputs, 0, error);
}

static bool tensors_add(struct random_weights *weights, const struct named_shape *shape,
                        struct error *error) {
  const char *const embeddings = "embeddings.";
  const int64_t hidden = shape->hidden, ffn = shape->ffn;
  if (!tensor_add(weights, embeddings, "word_embeddings.weight", shape->vocabulary, hidden, error) ||
      !tensor_add(weights, embeddings, "position_embeddings.weight", shape->positions, hidden, error) ||
      !tensor_add(weights, embeddings, "token_type_embeddings.weight", 1, hidden, error) ||
      !norm_add(weights, embeddings, "", hidden, error))
    return false;
  for (int32_t l = 0; l < shape->layers; l++) {
    char layer[32];
    snprintf(layer, sizeof layer, "encoder.layer.%d.", l);
    if (!linear_add(weights, layer, "attention.self.query", hidden, hidden, error) ||
        !linear_add(weights, layer, "attention.self.key", hidden, hidden, error) ||
        !linear_add(weights, layer, "attention.self.value", hidden, hidden, error) ||
        !linear_add(weights, layer, "attention.output.dense", hidden, hidden, error) ||
        !norm_add(weights, layer, "attention.output.", hidden, error) ||
        !linear_add(weights, layer, "intermediate.dense", ffn, hidden, error) ||
        !linear_add(weights, layer, "output.dense", hidden, ffn, error) ||
        !norm_add(weights, layer, "output.", hidden, error))
      return false;
  }
  return true;
}

static bool weights_write(const char *folder, const struct named_shape *shape, struct error *error) {
  struct random_weights weights = {.count = 0};
  char *path = file_join(folder, "model.safetensors");
  bool done = path != NULL;
  if (!done) error_set_memory(error, strlen(folder), "a path");
  done = done && tensors_add(&weights, shape, error) && random_weights_write(&weights, path, error);
  random_weights_free(&weights);
  free(path);
  return done;
}

/* --- Configuration ------------------------------------------------------------------------------------- */

/* Writes the value and frees it. */
static bool json_write(const char *folder, const char *name, json_t *value, struct error *error) {
  char *path = file_join(folder, name);
  const bool done = value && path && json_dump_file(value, path, JSON_INDENT(2)) == 0;
  if (!done) error_set(error, ERROR_IO, "cannot write %s/%s", folder, name);
  json_decref(value);
  free(path);
  return done;
}

static json_t *module_of(int number, const char *path, const char *kind) {
  char type[64], name[8];
  snprintf(type, sizeof type, "sentence_transformers.models.%s", kind);
  snprintf(name, sizeof name, "%d", number);
  return json_pack("{s:i, s:s, s:s, s:s}", "idx", number, "name", name, "path", path, "type", type);
}

static bool folder_make(const char *folder, const char *name, struct error *error) {
  char *path = file_join(folder, name);
  const bool done = path && file_make_folder(path, error);
  free(path);
  return done;
}

static bool configuration_write(const char *folder, const struct named_shape *shape, struct error *error) {
  return json_write(folder, "config.json",
                    json_pack("{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:s, s:s, s:i, s:i, s:i}",
                              "architectures", "XLMRobertaModel", "model_type", "xlm-roberta", "vocab_size",
                              shape->vocabulary, "hidden_size", shape->hidden, "num_hidden_layers",
                              shape->layers, "num_attention_heads", shape->heads, "intermediate_size",
                              shape->ffn, "max_position_embeddings", shape->positions, "type_vocab_size", 1,
                              "layer_norm_eps", 1e-5, "hidden_act", "gelu", "position_embedding_type",
                              "absolute", "bos_token_id", 0, "pad_token_id", 1, "eos_token_id", 2),
                    error) &&
         json_write(folder, "modules.json",
                    json_pack("[o, o, o]", module_of(0, "", "Transformer"),
                              module_of(1, "1_Pooling", "Pooling"), module_of(2, "2_Normalize", "Normalize")),
                    error) &&
         folder_make(folder, "1_Pooling", error) && folder_make(folder, "2_Normalize", error) &&
         json_write(folder, "1_Pooling/config.json",
                    json_pack("{s:i, s:b, s:b, s:b, s:b}", "word_embedding_dimension", shape->hidden,
                              "pooling_mode_cls_token", 1, "pooling_mode_mean_tokens", 0,
                              "pooling_mode_max_tokens", 0, "pooling_mode_mean_sqrt_len_tokens", 0),
                    error) &&
         json_write(folder, "sentence_bert_config.json",
                    json_pack("{s:i, s:b}", "max_seq_length", shape->positions - 2, "do_lower_case", 0),
                    error) &&
         json_write(
             folder, "config_sentence_transformers.json",
             json_pack("{s:{}, s:n, s:s}", "prompts", "default_prompt_name", "similarity_fn_name", "cosine"),
             error);
}

/* --- Tokenizer ------------------------------------------------------------------------------------------ */

static bool file_copy(const char *from, const char *to, const char *name, struct error *error) {
  char *source = file_join(from, name), *target = file_join(to, name), *data = NULL;
  size_t size = 0;
  bool done = source && target;
  if (done && access(source, F_OK) == 0) {
    FILE *file = NULL;
    done = file_read(source, FILE_MOST, &data, &size, error) && (file = fopen(target, "wb")) &&
           fwrite(data, 1, size, file) == size;
    if (file && fclose(file) != 0) done = false;
    if (!done) error_set_errno(error, "cannot copy %s to %s", source, target);
  }
  free(source);
  free(target);
  free(data);
  return done;
}

/* Sets the tokenizer's longest input to the model's. */
static bool tokenizer_copy(const char *from, const char *to, int32_t max_tokens, struct error *error) {
  static const char *const names[] = {"sentencepiece.bpe.model", "tokenizer.json", "special_tokens_map.json"};
  char *path = file_join(from, "tokenizer_config.json");
  json_t *config = path ? json_load_file(path, 0, NULL) : NULL;
  free(path);
  if (!config || json_object_set_new(config, "model_max_length", json_integer(max_tokens)) != 0) {
    json_decref(config);
    return error_set(error, ERROR_USAGE,
                     "%s has no tokenizer_config.json: expected a model folder with XLM-RoBERTa's tokenizer",
                     from);
  }
  if (!json_write(to, "tokenizer_config.json", config, error)) return false;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!file_copy(from, to, names[i], error)) return false;
  return true;
}

/* --- The folder ----------------------------------------------------------------------------------------- */

static const struct named_shape *shape_find(const char *name, struct error *error) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    if (strcmp(name, shapes[i].name) == 0) return &shapes[i];
  error_set(error, ERROR_USAGE, "no shape %s: expected bge-m3, e5-large, e5-base or tiny", name);
  return NULL;
}

bool model_folder_make(const char *out, const char *shape_name, const char *tokenizer, struct error *error) {
  const struct named_shape *shape = shape_find(shape_name, error);
  if (!shape) return false;
  if (access(out, F_OK) == 0) return true;
  char *partial = file_temporary(out);
  if (!partial) return error_set_memory(error, strlen(out), "a path");
  const bool done =
      file_make_folder(partial, error) && configuration_write(partial, shape, error) &&
      tokenizer_copy(tokenizer, partial, shape->positions - 2, error) &&
      weights_write(partial, shape, error) &&
      (rename(partial, out) == 0 || error_set_errno(error, "cannot rename %s to %s", partial, out));
  free(partial);
  return done;
}
