/* A complete model folder with a few kilobytes of weights: two layers, hidden 8, two heads, in the layout
 * that sentence-transformers 3 saves. */
#pragma once

#include "tests/unit/model/folder.h"

#define TINY_CONFIG                                                                                         \
  "{\"model_type\": \"xlm-roberta\", \"hidden_act\": \"gelu\", \"hidden_size\": 8, \"intermediate_size\": " \
  "16,"                                                                                                     \
  " \"layer_norm_eps\": 1e-05, \"max_position_embeddings\": 34, \"num_attention_heads\": 2, "               \
  "\"pad_token_id\": 1,"                                                                                    \
  " \"num_hidden_layers\": 2, \"position_embedding_type\": \"absolute\", \"type_vocab_size\": 1, "          \
  "\"vocab_size\": 12}"

#define TINY_MODULES                                                                                        \
  "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}," \
  " {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": "                                      \
  "\"sentence_transformers.models.Pooling\"},"                                                              \
  " {\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", \"type\": "                                    \
  "\"sentence_transformers.models.Normalize\"}]"

#define TINY_POOLING                                                                                         \
  "{\"word_embedding_dimension\": 8, \"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false," \
  " \"pooling_mode_max_tokens\": false, \"include_prompt\": true}"

struct tiny_tensor {
  char name[96];
  int64_t rows, columns; /* columns 0: a vector */
};

#define TINY_LAYERS 2
#define TINY_TENSORS (5 + 16 * TINY_LAYERS)

static inline int tiny_tensors(const char *prefix, struct tiny_tensor *tensors) {
  static const struct {
    const char *name;
    int64_t rows, columns;
  } embeddings[] = {{"word_embeddings.weight", 12, 8},
                    {"position_embeddings.weight", 34, 8},
                    {"token_type_embeddings.weight", 1, 8},
                    {"LayerNorm.weight", 8, 0},
                    {"LayerNorm.bias", 8, 0}},
    layer[] = {{"attention.self.query", 8, 8},
               {"attention.self.key", 8, 8},
               {"attention.self.value", 8, 8},
               {"attention.output.dense", 8, 8},
               {"attention.output.LayerNorm", 8, 0},
               {"intermediate.dense", 16, 8},
               {"output.dense", 8, 16},
               {"output.LayerNorm", 8, 0}};
  int count = 0;
  for (int i = 0; i < 5; i++) {
    tensors[count] = (struct tiny_tensor){.rows = embeddings[i].rows, .columns = embeddings[i].columns};
    snprintf(tensors[count++].name, 96, "%sembeddings.%s", prefix, embeddings[i].name);
  }
  for (int i = 0; i < 8 * TINY_LAYERS; i++) {
    const int64_t rows = layer[i % 8].rows;
    tensors[count] = (struct tiny_tensor){.rows = rows, .columns = layer[i % 8].columns};
    snprintf(tensors[count++].name, 96, "%sencoder.layer.%d.%s.weight", prefix, i / 8, layer[i % 8].name);
    tensors[count] = (struct tiny_tensor){.rows = rows};
    snprintf(tensors[count++].name, 96, "%sencoder.layer.%d.%s.bias", prefix, i / 8, layer[i % 8].name);
  }
  return count;
}

/* Writes tensors [first, last) as F32 (or as `dtype`, with `size` bytes per number). The bytes count up from
 * `seed`. */
static inline void tiny_safetensors(const char *folder, const char *name, const struct tiny_tensor *tensors,
                                    int first, int last, const char *dtype, int size, unsigned char seed) {
  json_t *header = json_object();
  int64_t offset = 0;
  for (int i = first; i < last; i++) {
    const struct tiny_tensor *one = &tensors[i];
    const int64_t bytes = one->rows * (one->columns ? one->columns : 1) * size;
    json_t *shape = one->columns ? json_pack("[I, I]", (json_int_t)one->rows, (json_int_t)one->columns)
                                 : json_pack("[I]", (json_int_t)one->rows);
    json_object_set_new(header, one->name,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape, "data_offsets",
                                  (json_int_t)offset, (json_int_t)(offset + bytes)));
    offset += bytes;
  }
  char *text = json_dumps(header, JSON_COMPACT);
  const uint64_t length = strlen(text);
  unsigned char *file = calloc(8 + length + (size_t)offset, 1);
  for (int i = 0; i < 8; i++) file[i] = (unsigned char)(length >> (8 * i));
  memcpy(file + 8, text, length);
  for (int64_t i = 0; i < offset; i++)
    file[8 + length + (size_t)i] = (seed + i) & 0x3f; /* finite in every type */
  folder_put_bytes(folder, name, file, 8 + length + (size_t)offset);
  free(file);
  free(text);
  json_decref(header);
}

static inline void tiny_weights(const char *folder, const char *prefix) {
  struct tiny_tensor tensors[TINY_TENSORS];
  const int count = tiny_tensors(prefix, tensors);
  tiny_safetensors(folder, "model.safetensors", tensors, 0, count, "F32", 4, 0);
}

/* Adds a Dense module of 8 inputs and 4 outputs to a tiny folder, before Normalize: modules.json, its
 * config.json, and weights that count up from `seed`. */
static inline void tiny_dense(const char *folder, unsigned char seed) {
  static const struct tiny_tensor tensors[] = {{"linear.weight", 4, 8}, {"linear.bias", 4, 0}};
  folder_put(folder, "modules.json",
             "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},"
             " {\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"},"
             " {\"path\": \"2_Dense\", \"type\": \"sentence_transformers.models.Dense\"},"
             " {\"path\": \"3_Normalize\", \"type\": \"sentence_transformers.models.Normalize\"}]");
  folder_put(folder, "2_Dense/config.json",
             "{\"in_features\": 8, \"out_features\": 4, \"bias\": true,"
             " \"activation_function\": \"torch.nn.modules.activation.Tanh\"}");
  tiny_safetensors(folder, "2_Dense/model.safetensors", tensors, 0, 2, "F32", 4, seed);
}

static inline char *tiny_folder(void) {
  char *folder = folder_make();
  folder_put(folder, "config.json", TINY_CONFIG);
  folder_put(folder, "modules.json", TINY_MODULES);
  folder_put(folder, "1_Pooling/config.json", TINY_POOLING);
  folder_put(folder, "sentence_bert_config.json", "{\"max_seq_length\": 24, \"do_lower_case\": false}");
  folder_put(folder, "tokenizer_config.json",
             "{\"model_max_length\": 30, \"tokenizer_class\": \"XLMRobertaTokenizer\"}");
  folder_put(folder, "config_sentence_transformers.json",
             "{\"prompts\": {\"query\": \"query: \", \"passage\": \"passage: \", \"document\": null},"
             " \"default_prompt_name\": \"passage\"}");
  tiny_weights(folder, "");
  return folder;
}
