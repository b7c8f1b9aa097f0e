/* A model folder as sentence-transformers saves it (versions 3 and 6): shape, weights, pooling, prompts.
 *
 * Read: config.json, modules.json, <pooling module>/config.json, config_sentence_transformers.json,
 * sentence_bert_config.json, tokenizer_config.json, model.safetensors or model.safetensors.index.json with
 * its shards. Supported: model_type xlm-roberta, roberta (with a sentencepiece tokenizer) and bert;
 * hidden_act gelu; absolute positions; cls or mean pooling; with or without a Normalize module (rows are
 * normalised in either case, as the output format says). Anything else is ERROR_UNSUPPORTED with the file,
 * what it says and what was expected. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "io/error.h"
#include "io/safetensors.h"

enum pooling { POOLING_CLS, POOLING_MEAN };

struct model_shape {
  int32_t layers, hidden, heads, head_size, ffn;
  int32_t vocabulary; /* rows of the word table; an id past it is an error */
  int32_t positions;  /* rows of the position table */
  int32_t
      first_position; /* position id of the first token: pad_token_id + 1 for XLM-R and RoBERTa, 0 for BERT */
  float layer_norm_eps;
  enum pooling pooling;
  bool pool_prompt;   /* include_prompt: false only when the pooling leaves the prompt's tokens out */
  int32_t max_tokens; /* longest input, special tokens counted: the least of the three limits in the folder */
};

/* y = W x + b; weight [outputs, inputs], bias [outputs], as PyTorch stores them. */
struct linear {
  const struct tensor *weight, *bias;
};
struct norm {
  const struct tensor *weight, *bias; /* [hidden] */
};

struct layer {
  struct linear query, key, value; /* [hidden, hidden] */
  struct linear attention_output;  /* [hidden, hidden] */
  struct norm attention_norm;
  struct linear intermediate; /* [ffn, hidden] */
  struct linear output;       /* [hidden, ffn] */
  struct norm output_norm;
};

struct prompt {
  char *name, *text;
};

struct model {
  char *folder;
  char *name;       /* last component of the folder's path */
  char *model_type; /* of config.json */
  struct model_shape shape;
  const struct tensor *word_embedding;     /* [vocabulary, hidden] */
  const struct tensor *position_embedding; /* [positions, hidden] */
  const struct tensor *type_embedding;     /* [types, hidden]; row 0 is used */
  struct norm embedding_norm;
  struct layer *layer; /* [shape.layers] */
  struct prompt *prompt;
  int32_t prompt_count;
  char *default_prompt; /* name, or NULL */
  struct safetensors **file;
  int32_t file_count;
};

/* Opens a folder; the weights are mapped, not read. Every tensor's presence and shape is checked. */
struct model *model_open(const char *folder, struct error *error);
void model_close(struct model *model);

/* Text of a prompt of config_sentence_transformers.json, or NULL. */
const char *model_prompt(const struct model *model, const char *name);

/* XXH3-128 of all weight files' bytes in the order of their names, in hexadecimal: reads every byte. */
bool model_hash(const struct model *model, char hash[33], struct error *error);

/* Parameters in the tensors that the encoder uses. */
int64_t model_parameters(const struct model *model);
