#include "host/model/limit.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "host/model/arguments.h"
#include "host/model/config_file.h"
#include "io/look.h"

#define LIMIT_LEAST 2             /* <s> and </s> */
#define LIMIT_MOST CONFIG_NO_MOST /* tokenizer_config.json says 10^30 if no limit was set */

/* Opens an object inside a file, to be read like a file; if the object is missing, it has no members. */
static bool object_open(const struct config_file *file, const char *key, struct config_file *object,
                        struct error *error) {
  const json_t *member = config_member(file, key);
  *object = (struct config_file){.path = file->path, .root = (json_t *)member};
  return !member || json_is_object(member) ||
         config_refuse(file, ERROR_INPUT, key, member, "an object", error);
}

static bool expect_false(const struct config_file *file, const char *key, struct error *error) {
  bool value = false;
  return config_flag(file, key, &value, error) &&
         (!value || config_refuse(file, ERROR_UNSUPPORTED, key, config_member(file, key), "false", error));
}

static bool expect_string(const struct config_file *file, const char *key, const char *wanted,
                          struct error *error) {
  const char *value = wanted;
  char expected[64];
  if (!config_string(file, key, &value, error)) return false;
  if (!strcmp(value, wanted)) return true;
  snprintf(expected, sizeof expected, "\"%s\"", wanted);
  return config_refuse(file, ERROR_UNSUPPORTED, key, config_member(file, key), expected, error);
}

static bool expect_right(const struct config_file *file, struct error *error) {
  return expect_string(file, "truncation_side", "right", error);
}

/* If there is a way to take messages, every text becomes one, in the words of a chat template. */
static bool messages_check(const struct config_file *modalities, struct error *error) {
  const json_t *message = config_member(modalities, "message");
  return !message || config_refuse(modalities, ERROR_UNSUPPORTED, "message", message,
                                   "none, because nina has no chat templates", error);
}

#define NO_TEMPLATES                                                                                        \
  "nina has no chat templates; if texts are embedded without one, say so in sentence_bert_config.json, by " \
  "a modality_config with \"text\" alone"

/* If modality_config does not say what the model takes, sentence-transformers 6 looks whether the tokenizer
 * has a chat template, and if it has, every text becomes a message. */
static bool template_check(const char *folder, const struct config_file *file, struct error *error) {
  static const char *const names[] = {"chat_template.jinja", "additional_chat_templates"};
  struct config_file tokenizer;
  if (config_member(file, "modality_config")) return true;
  if (!config_file_read(folder, "tokenizer_config.json", CONFIG_OPTIONAL, &tokenizer, error)) return false;
  const json_t *template = config_member(&tokenizer, "chat_template");
  bool ok = !template || config_refuse(&tokenizer, ERROR_UNSUPPORTED, "chat_template", template,
                                       "null, because " NO_TEMPLATES, error);
  config_file_free(&tokenizer);
  for (size_t i = 0; ok && i < sizeof names / sizeof *names; i++) {
    bool there = false;
    ok = look_in(folder, names[i], &there, error);
    if (there) ok = error_set(error, ERROR_UNSUPPORTED, "%s has %s, but " NO_TEMPLATES, folder, names[i]);
  }
  return ok;
}

/* Version 6 says what of the transformer's output goes on to the pooling: it may be another head's. */
static bool output_check(const struct config_file *file, struct error *error) {
  struct config_file modalities, text;
  return expect_string(file, "transformer_task", "feature-extraction", error) &&
         expect_string(file, "module_output_name", "token_embeddings", error) &&
         object_open(file, "modality_config", &modalities, error) && messages_check(&modalities, error) &&
         object_open(&modalities, "text", &text, error) && expect_string(&text, "method", "forward", error) &&
         expect_string(&text, "method_output_name", "last_hidden_state", error);
}

struct limit {
  double tokens; /* the last number read */
  bool off;      /* truncation is switched off, whatever the number */
};

/* Reads the truncation strategy: true or the name of one that cuts a text at its end, or a value that
 * switches truncation off, as null does. */
static bool truncation_read(const struct config_file *file, const json_t *value, struct limit *limit,
                            struct error *error) {
  const char *name = json_string_value(value);
  limit->off = json_is_false(value) || json_is_null(value) || (name && !strcmp(name, "do_not_truncate"));
  const bool cuts =
      json_is_true(value) || (name && (!strcmp(name, "longest_first") || !strcmp(name, "only_first")));
  return limit->off || cuts ||
         config_refuse(file, ERROR_UNSUPPORTED, "truncation", value, "true, \"longest_first\" or false",
                       error);
}

/* One group in processing_kwargs: the arguments of a call to the tokenizer. */
static bool processing_group_read(const struct config_file *processing, const char *key, struct limit *limit,
                                  struct error *error) {
  static const char *const harmless[] = {"padding",        "pad_to_multiple_of",    "padding_side",
                                         "return_tensors", "return_attention_mask", "return_token_type_ids",
                                         "verbose",        "logits_to_keep",        "max_length"};
  struct config_file group;
  const char *name;
  json_t *value;
  if (!object_open(processing, key, &group, error) ||
      !config_number(&group, "max_length", LIMIT_LEAST, LIMIT_MOST, &limit->tokens, error))
    return false;
  json_object_foreach(group.root, name, value) {
    bool known = json_is_null(value) || (!strcmp(name, "add_special_tokens") && json_is_true(value));
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) known |= !strcmp(name, harmless[i]);
    if (!strcmp(name, "truncation")) {
      if (!truncation_read(&group, value, limit, error)) return false;
    } else if (!known) {
      return config_refuse(&group, ERROR_UNSUPPORTED, name, value, "nothing that changes the token ids",
                           error);
    }
  }
  return true;
}

static bool processing_read(const struct config_file *file, struct limit *limit, struct error *error) {
  struct config_file processing;
  return object_open(file, "processing_kwargs", &processing, error) &&
         processing_group_read(&processing, "text", limit, error) &&
         processing_group_read(&processing, "common", limit, error);
}

/* The arguments that open the tokenizer. A null means no limit. */
static bool opening_read(const struct config_file *file, struct limit *limit, struct error *error) {
  struct config_file opening;
  if (!object_open(file, arguments_of_tokenizer(file), &opening, error)) return false;
  if (json_is_null(json_object_get(opening.root, "model_max_length"))) limit->tokens = LIMIT_MOST;
  return config_number(&opening, "model_max_length", LIMIT_LEAST, LIMIT_MOST, &limit->tokens, error) &&
         expect_right(&opening, error);
}

/* Early versions named the file after the model. The first file with any member counts. */
static bool sentence_file_read(const char *folder, struct config_file *file, struct error *error) {
  static const char *const names[] = {"sentence_bert_config.json",       "sentence_roberta_config.json",
                                      "sentence_distilbert_config.json", "sentence_camembert_config.json",
                                      "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
                                      "sentence_xlnet_config.json"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!config_file_read(folder, names[i], CONFIG_OPTIONAL, file, error)) return false;
    if (json_object_size(file->root) > 0) return true;
    config_file_free(file);
  }
  return true;
}

static bool sentence_read(const char *folder, struct limit *limit, struct error *error) {
  struct config_file file;
  if (!sentence_file_read(folder, &file, error)) return false;
  const bool done = config_number(&file, "max_seq_length", LIMIT_LEAST, LIMIT_MOST, &limit->tokens, error) &&
                    expect_false(&file, "do_lower_case", error) && output_check(&file, error) &&
                    template_check(folder, &file, error) && opening_read(&file, limit, error) &&
                    processing_read(&file, limit, error) && arguments_check(&file, folder, error);
  config_file_free(&file);
  return done;
}

static bool tokenizer_read(const char *folder, struct limit *limit, struct error *error) {
  struct config_file file;
  if (!config_file_read(folder, "tokenizer_config.json", CONFIG_OPTIONAL, &file, error)) return false;
  const bool done =
      config_number(&file, config_member(&file, "model_max_length") ? "model_max_length" : "max_len",
                    LIMIT_LEAST, LIMIT_MOST, &limit->tokens, error) &&
      expect_right(&file, error);
  config_file_free(&file);
  return done;
}

bool limit_read(const char *folder, int32_t table, int32_t *max_tokens, struct error *error) {
  struct limit limit = {.tokens = table};
  if (!tokenizer_read(folder, &limit, error) || !sentence_read(folder, &limit, error)) return false;
  *max_tokens = !limit.off && limit.tokens < table ? (int32_t)limit.tokens : table;
  return true;
}
