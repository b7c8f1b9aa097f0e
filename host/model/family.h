/* The families of encoders, config.json's `model_type`. They share one architecture. This file holds their
 * differences, in switches without a default, so a new family is a compile error until every place handles
 * it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum family { FAMILY_XLM_ROBERTA, FAMILY_ROBERTA, FAMILY_BERT, FAMILY_DISTILBERT };

/* The model types, for an error sentence. */
#define FAMILY_TYPES "\"xlm-roberta\", \"roberta\", \"bert\" or \"distilbert\""

/* `model_type` as config.json spells it. NULL if the number is not a family. */
const char *family_name(enum family family);
bool family_parse(const char *name, enum family *family);

/* Position id of the first token; `pad` is the padding's token id. If it is pad + 1, a padding token in a
 * text has the position pad and is not counted. */
int32_t family_first_position(enum family family, int32_t pad);

/* Keys of config.json. */
struct family_keys {
  const char *layers, *hidden, *heads, *ffn, *activation;
  const char *epsilon; /* NULL: config.json does not say, and layer_norm_eps holds */
  double layer_norm_eps;
};
const struct family_keys *family_config(enum family family);

/* Names of a layer's tensors, without "LAYERS.number." before and ".weight" or ".bias" behind. */
struct family_tensors {
  const char *layers;
  const char *query, *key, *value, *attention_output, *attention_norm, *intermediate, *output, *output_norm;
  bool types; /* the embeddings have a table of token types */
};
const struct family_tensors *family_names(enum family family);
