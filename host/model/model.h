/* A model: its configuration (model_config.h) and its weights, from model.safetensors or from the shards that
 * model.safetensors.index.json names. */
#pragma once

#include <stdint.h>

#include "host/model/model_config.h"
#include "io/error.h"
#include "io/safetensors.h"

/* y = W x + b; weight [outputs, inputs], bias [outputs], in PyTorch's layout. bias NULL: zeros (Dense only).
 */
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

struct model {
  struct model_config config;
  const struct tensor *word_embedding;     /* [vocabulary, hidden] */
  const struct tensor *position_embedding; /* [positions, hidden] */
  const struct tensor *type_embedding;     /* [types, hidden]; row 0 is used; NULL if the family has none */
  struct norm embedding_norm;
  struct layer *layer;            /* [config.shape.layers] */
  struct linear dense[DENSE_MAX]; /* [config.modules.dense_count] */
  struct safetensors **file;      /* the transformer's files, then one for each Dense module */
  int32_t file_count;
};

/* Opens a model: a folder, or "org/name" in a cache (place.h). The weights are mapped, not read. Checks that
 * every tensor is present and has the right shape. */
struct model *model_open(const char *reference, struct error *error);
void model_close(struct model *model);

/* False with ERROR_INPUT if a weights file was written to since the model was opened. An encoder asks after
 * each batch whose weights it has read from the files, so that no row of two models is stored. */
bool model_stands(const struct model *model, struct error *error);

/* Reads every tensor that the encoder uses. If a number is infinite or NaN: ERROR_INPUT with the tensor's
 * name. Such a number makes rows wrong, and the rows do not always show it. */
bool model_check_finite(const struct model *model, struct error *error);

/* Reads all weight files' bytes, in the order of their names, and gives their XXH3-128 in hexadecimal. */
bool model_hash(const struct model *model, char hash[33], struct error *error);

/* Prints what tells the mapped files from all others on this machine, in whatever way their paths are
 * spelled: device, inode, size and time of the last write. */
#define MODEL_FILES_TEXT 17
bool model_files_print(const struct model *model, char text[MODEL_FILES_TEXT], struct error *error);

/* Number of parameters in the tensors that the encoder uses. */
int64_t model_parameters(const struct model *model);
