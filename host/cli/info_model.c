#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/human.h"
#include "host/cli/info.h"
#include "host/cli/say.h"
#include "host/model/identity.h"
#include "io/json_parse.h"
#include "io/json_text.h"

struct described {
  struct model *model;
  struct tokenizer *tokenizer;
  struct model_identity identity;
};

static bool described_open(const char *folder, enum tokenizer_engine engine, struct described *described,
                           struct error *error) {
  described->model = model_open(folder, error);
  if (!described->model) return false;
  described->tokenizer = tokenizer_open_engine(described->model->config.modules.transformer, engine, error);
  return described->tokenizer && model_check_finite(described->model, error) &&
         identity_make(described->model, described->tokenizer, &described->identity, error);
}

static void described_close(struct described *described) {
  tokenizer_close(described->tokenizer);
  model_close(described->model);
}

static void prompts_print(const struct model_config *config) {
  for (int32_t i = 0; i < config->prompt_count; i++) {
    const struct prompt *prompt = &config->prompt[i];
    const bool is_default = config->default_prompt && !strcmp(config->default_prompt, prompt->name);
    say_line(stdout, "prompt      %s: \"%s\"%s", prompt->name, prompt->text, is_default ? " (default)" : "");
  }
}

/* The modules after the transformer. */
static void row_print(const struct model_config *config) {
  char pooling[POOLING_NAME_MAX];
  pooling_print(&config->shape.pooling, pooling);
  printf("pooling     %s%s, rows normalised%s\n", pooling,
         config->shape.pool_prompt ? "" : ", prompt left out",
         config->modules.normalise ? "" : " by nina: the folder has no Normalize module");
  for (int32_t i = 0; i < config->modules.dense_count; i++) {
    const struct dense_config *dense = &config->dense[i];
    printf("dense       %d to %d numbers, %s%s\n", dense->inputs, dense->outputs,
           activation_name(dense->activation), dense->bias ? "" : ", no bias");
  }
}

static void similarity_print(const struct model_config *config) {
  const char *note = ", says the folder; nina compares by the cosine";
  if (!strcmp(config->similarity, "cosine")) note = "";
  if (model_config_loses_lengths(config))
    note =
        ", says the folder: warning: rows are normalised, so their lengths are lost; nina compares by the "
        "cosine";
  say_line(stdout, "similarity  %s%s", config->similarity, note);
}

static void described_print(const struct described *described) {
  const struct model *model = described->model;
  const struct model_config *config = &model->config;
  const struct model_shape *shape = &config->shape;
  char count[32];
  human_count(model_parameters(model), count);
  say_line(stdout, "model       %s (%s), %s parameters in %s, %d file%s", config->name,
           family_name(config->family), count, model->word_embedding->dtype_name, model->file_count,
           model->file_count == 1 ? "" : "s");
  printf("shape       %d layers, hidden %d, %d heads of %d, FFN %d\n", shape->layers, shape->hidden,
         shape->heads, shape->head_size, shape->ffn);
  row_print(config);
  printf("input       up to %d tokens\n", shape->max_tokens);
  if (config->width < shape->widest)
    printf("width       %d of %d numbers, if --widths does not say otherwise\n", config->width,
           shape->widest);
  else
    printf("width       %d numbers, if --widths does not say otherwise\n", config->width);
  similarity_print(config);
  prompts_print(config);
  const bool library = tokenizer_engine_of(described->tokenizer) == TOKENIZER_SENTENCEPIECE;
  printf("tokenizer   %s in %s, %d pieces%s\n", tokenizer_kind_name(described->tokenizer),
         tokenizer_source_name(described->tokenizer), tokenizer_pieces(described->tokenizer),
         library ? ", segmented by the sentencepiece library" : "");
  if (tokenizer_lacks_pieces(described->tokenizer, shape->vocabulary))
    printf("            warning: the word table has %d rows: if the file is cut, most words are unknown\n",
           shape->vocabulary);
  printf("identity    %s\n", described->identity.hash);
}

static json_t *prompts_json(const struct model_config *config) {
  json_t *prompts = json_object();
  for (int32_t i = 0; i < config->prompt_count; i++)
    json_object_set_new(prompts, config->prompt[i].name, json_string(config->prompt[i].text));
  return prompts;
}

/* The identity's members, as in manifest.json. */
static json_t *identity_json(const struct model_identity *identity) {
  json_t *json = json_pack("{s:s, s:s}", "name", identity->name, "identity", identity->hash);
  for (int32_t i = 0; i < identity->count; i++)
    json_object_set_new(json, identity->member[i].key, json_parse_own(identity->member[i].value));
  return json;
}

static json_t *described_json(const struct described *described) {
  const struct model *model = described->model;
  const struct model_config *config = &model->config;
  return json_pack(
      "{s:s, s:o, s:I, s:s, s:i, s:i, s:i, s:s, s:b, s:o, s:s?, s:{s:s, s:s, s:i}}", "folder", config->folder,
      "model", identity_json(&described->identity), "parameters", (json_int_t)model_parameters(model),
      "stored_as", model->word_embedding->dtype_name, "files", model->file_count, "max_tokens",
      config->shape.max_tokens, "width", config->width, "similarity", config->similarity, "normalize_module",
      config->modules.normalise, "prompts", prompts_json(config), "default_prompt", config->default_prompt,
      "tokenizer", "kind", tokenizer_kind_name(described->tokenizer), "file",
      tokenizer_source_name(described->tokenizer), "pieces", tokenizer_pieces(described->tokenizer));
}

bool info_check_name(const char *name, struct error *error) {
  return json_text_can_hold(name) ||
         error_set(error, ERROR_USAGE,
                   "the name %s is not valid UTF-8, and JSON can hold nothing else: rename it, or leave out "
                   "--json",
                   name);
}

bool info_print_json(json_t *value, struct error *error) {
  char *text = value ? json_print(value, JSON_INDENT(2)) : NULL;
  const bool done = text && !json_memory_failed();
  if (done) puts(text);
  free(text);
  json_decref(value);
  return done || error_set_memory(error, 1024, "a description");
}

bool info_model(const char *folder, enum tokenizer_engine engine, bool json, struct error *error) {
  struct described described = {0};
  bool done = (!json || info_check_name(folder, error)) &&
              described_open(folder, engine, &described, error) &&
              (!json || info_check_name(described.identity.name, error));
  if (done && json)
    done = info_print_json(described_json(&described), error);
  else if (done)
    described_print(&described);
  described_close(&described);
  return done;
}
