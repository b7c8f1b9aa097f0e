/* A model folder without its weights, as saved by sentence-transformers 3 to 6: family, shape, pooling, Dense
 * modules, limits, prompts.
 *
 * Read: modules.json, config.json, <pooling module>/config.json, <Dense module>/config.json,
 * config_sentence_transformers.json, sentence_bert_config.json, tokenizer_config.json. Supported: the
 * families in family.h with hidden_act gelu and absolute positions; the poolings in pooling.h; the Dense
 * modules in dense.h; with or without a Normalize module (the output format asks for normalised rows in
 * either case). Anything else is ERROR_UNSUPPORTED with the file, its value and the expected value. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "host/model/dense.h"
#include "host/model/family.h"
#include "host/model/modules.h"
#include "host/model/pooling.h"
#include "io/error.h"

struct model_shape {
  int32_t layers, hidden, heads, head_size, ffn;
  int32_t vocabulary;     /* rows in the word table; a higher id is an error */
  int32_t positions;      /* rows in the position table */
  int32_t first_position; /* position id of the first token; if it is not 0, the padding's id is one less */
  float layer_norm_eps;
  struct pooling pooling;
  bool pool_prompt;   /* include_prompt; false: pooling leaves the prompt's tokens out */
  int32_t max_tokens; /* longest input, with special tokens (limit.h) */
  int32_t widest;     /* numbers in a whole row: the last Dense module's outputs, or hidden for each mode */
};

struct prompt {
  char *name, *text;
};

struct model_config {
  char *folder;
  char *name; /* for people: "org/name" if in huggingface_hub's cache, else the folder's name */
  struct modules modules;
  enum family family;
  struct model_shape shape;
  struct dense_config dense[DENSE_MAX]; /* [modules.dense_count] */
  struct prompt *prompt;                /* [prompt_count] */
  int32_t prompt_count;
  char *default_prompt; /* name, or NULL */
  int32_t width;        /* default row width: truncate_dim, else the widest */
  char *similarity;     /* similarity_fn_name, the similarity that the model was trained for */
};

/* `reference` is a folder, or "org/name" in a cache (place.h). Models of other kinds are refused by name
 * (support.h). On failure nothing is left to close. */
bool model_config_open(struct model_config *config, const char *reference, struct error *error);
void model_config_close(struct model_config *config);

/* True if the model compares vectors by their lengths too, which a normalised row has lost: it is trained for
 * another similarity than the cosine, and has no Normalize module. */
bool model_config_loses_lengths(const struct model_config *config);

/* Text of a prompt in config_sentence_transformers.json, or NULL. */
const char *model_config_prompt(const struct model_config *config, const char *name);
