#include "host/model/arguments.h"

#include <stdio.h>
#include <string.h>

/* Up to NULL: how to load, and not what. (sentence-transformers puts its own caller's revision and subfolder
 * in their place.) */
static const char *const of_loading[] = {"trust_remote_code", "cache_dir",      "revision",
                                         "subfolder",         "token",          "use_auth_token",
                                         "local_files_only",  "force_download", NULL};
static const char *const of_tokenizer[] = {"model_max_length",
                                           "truncation_side",
                                           "use_fast",
                                           "padding_side",
                                           "padding",
                                           "clean_up_tokenization_spaces",
                                           NULL};
static const char *const of_weights[] = {
    "torch_dtype",       "dtype",      "attn_implementation", "use_safetensors",
    "low_cpu_mem_usage", "device_map", "add_pooling_layer",   NULL};
static const char *const of_config[] = {"use_cache", NULL};

static bool is_among(const char *const *names, const char *name) {
  while (*names && strcmp(*names, name) != 0) names++;
  return *names != NULL;
}

/* Checks the arguments under one key; `own` is the file that they override, or NULL. */
static bool group_check(const struct config_file *file, const char *key, const char *const *harmless,
                        const struct config_file *own, struct error *error) {
  const json_t *group = config_member(file, key);
  const char *name;
  json_t *value;
  char place[128];
  json_object_foreach((json_t *)group, name, value) {
    const json_t *known = own ? json_object_get(own->root, name) : NULL;
    if (is_among(of_loading, name) || is_among(harmless, name) || (known && json_equal(known, value)))
      continue;
    snprintf(place, sizeof place, "%s.%s", key, name);
    return config_refuse(file, ERROR_UNSUPPORTED, place, value,
                         "nothing that changes what the folder's files say", error);
  }
  return true;
}

const char *arguments_of_tokenizer(const struct config_file *file) {
  return config_member(file, "tokenizer_args") ? "tokenizer_args" : "processor_kwargs";
}

static bool tokenizer_check(const struct config_file *file, const char *folder, struct error *error) {
  struct config_file own;
  if (!config_file_read(folder, "tokenizer_config.json", CONFIG_OPTIONAL, &own, error)) return false;
  const bool done = group_check(file, arguments_of_tokenizer(file), of_tokenizer, &own, error);
  config_file_free(&own);
  return done;
}

/* Lengths and padding of questions or documents alone, and another folder's tokenizer. */
static bool module_check(const struct config_file *file, struct error *error) {
  static const char *const absent[] = {"query_length", "document_length", "query_expansion",
                                       "tokenizer_name_or_path"};
  for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
    const json_t *value = config_member(file, absent[i]);
    if (value)
      return config_refuse(file, ERROR_UNSUPPORTED, absent[i], value,
                           "null: all texts have one longest input and the folder's tokenizer", error);
  }
  return true;
}

bool arguments_check(const struct config_file *file, const char *folder, struct error *error) {
  const char *weights = config_member(file, "model_args") ? "model_args" : "model_kwargs";
  const char *config = config_member(file, "config_args") ? "config_args" : "config_kwargs";
  return module_check(file, error) && tokenizer_check(file, folder, error) &&
         group_check(file, weights, of_weights, NULL, error) &&
         group_check(file, config, of_config, NULL, error);
}
