/* A model's weights in the form for the CPU, shared by all slots. Attention's three projections are one
 * product, so its result holds query, key and value side by side. The word table stays in the model's
 * mapping. */
#pragma once

#include "host/cpu/gemm.h"
#include "host/cpu/int8_plan.h"
#include "host/cpu/kernels.h"

struct int8_layer;

/* In int8, the products are NULL, and `int8` has them. */
struct layer_weights {
  struct gemm_weights *projection;       /* [3 · hidden, hidden] */
  struct gemm_weights *attention_output; /* [hidden, hidden] */
  struct gemm_weights *intermediate;     /* [ffn, hidden] */
  struct gemm_weights *output;           /* [hidden, ffn] */
  struct norm_weights attention_norm, output_norm;
  struct int8_layer *int8; /* NULL except in int8 */
};

struct dense_weights {
  struct gemm *gemm;            /* fp32 in every precision */
  struct gemm_weights *weights; /* [outputs, inputs] */
  struct dense_config config;
};

struct weights {
  struct gemm_engine *engine;
  struct gemm *projection, *attention_output, *intermediate, *output; /* every layer's four shapes */
  struct embedding_tables embedding;
  struct norm_weights embedding_norm;
  struct layer_weights *layer; /* [layers] */
  int32_t layers;
  struct dense_weights dense[DENSE_MAX]; /* [dense_count] */
  int32_t dense_count;
  float *numbers; /* position table and norms, in one allocation */
};

/* Rows in one product of a Dense module: as many as oneDNN needs for full speed. */
#define DENSE_ROWS 64

struct weights_options {
  enum precision precision;     /* FP32, BF16 or INT8 */
  int32_t max_rows;             /* in one product */
  const struct int8_plan *plan; /* for INT8 only */
};

/* Reads and converts every tensor except the word table. In BF16 the projections and the intermediate layer
 * give bf16; the outputs added to the state are fp32. The Dense modules' products are always fp32: one row
 * per text costs nothing beside the text's tokens, and a rounded row would be further from the model's. */
bool weights_open(struct weights *weights, const struct model *model, const struct weights_options *options,
                  struct error *error);

/* The steps of weights_open: everything but the layers' products and the Dense modules, then one layer's
 * products at a time, in FP32 or BF16. After an error, weights_close frees what there is. */
bool weights_open_frame(struct weights *weights, const struct model *model, enum precision precision,
                        int32_t max_rows, struct error *error);
bool weights_layer_pack(struct weights *weights, const struct model *model, int32_t layer, float *buffer,
                        struct error *error);
void weights_layer_free(struct layer_weights *layer);

/* Accepts a zeroed struct. */
void weights_close(struct weights *weights);
