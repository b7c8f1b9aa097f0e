/* A model folder without its weights, as sentence-transformers 3 to 6 saves it: family, shape, pooling,
 * limits, prompts.
 *
 * Read: modules.json, config.json, <pooling module>/config.json, config_sentence_transformers.json,
 * sentence_bert_config.json, tokenizer_config.json. Supported: the families of family.h with hidden_act gelu
 * and absolute positions; the poolings of pooling.h; with or without a Normalize module (rows are normalised
 * in either case, as the output format says). Anything else is ERROR_UNSUPPORTED with the file, what it says
 * and what was expected. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "host/model/family.h"
#include "host/model/modules.h"
#include "host/model/pooling.h"
#include "io/error.h"

struct model_shape {
  int32_t layers, hidden, heads, head_size, ffn;
  int32_t vocabulary;     /* rows of the word table; an id past it is an error */
  int32_t positions;      /* rows of the position table */
  int32_t first_position; /* position id of the first token */
  float layer_norm_eps;
  enum pooling pooling;
  bool pool_prompt;   /* include_prompt: false only if the pooling leaves the prompt's tokens out */
  int32_t max_tokens; /* longest input, special tokens counted: as limit.h says */
};

struct prompt {
  char *name, *text;
};

struct model_config {
  char *folder;
  char *name; /* for people: "org/name" of a snapshot in huggingface_hub's cache, else the folder's */
  struct modules modules;
  enum family family;
  struct model_shape shape;
  struct prompt *prompt; /* [prompt_count] */
  int32_t prompt_count;
  char *default_prompt; /* name, or NULL */
  int32_t width;        /* of a row if nobody asks for another: truncate_dim, else hidden */
  char *similarity;     /* similarity_fn_name, by which the model was trained to be compared */
};

/* On failure nothing is left to close. */
bool model_config_open(struct model_config *config, const char *folder, struct error *error);
void model_config_close(struct model_config *config);

/* Text of a prompt of config_sentence_transformers.json, or NULL. */
const char *model_config_prompt(const struct model_config *config, const char *name);
