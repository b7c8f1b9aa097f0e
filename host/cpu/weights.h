/* A model's weights in the form that the CPU computes with, shared by all slots. The three projections of
 * attention are one product, so that its result holds query, key and value side by side. The word table stays
 * in the model's mapping. */
#pragma once

#include "host/cpu/gemm.h"
#include "host/cpu/kernels.h"

struct layer_weights {
  struct gemm_weights *projection;       /* [3 · hidden, hidden] */
  struct gemm_weights *attention_output; /* [hidden, hidden] */
  struct gemm_weights *intermediate;     /* [ffn, hidden] */
  struct gemm_weights *output;           /* [hidden, ffn] */
  struct norm_weights attention_norm, output_norm;
};

struct weights {
  struct gemm_engine *engine;
  struct gemm *projection, *attention_output, *intermediate, *output; /* the four shapes of every layer */
  struct embedding_tables embedding;
  struct norm_weights embedding_norm;
  struct layer_weights *layer; /* [layers] */
  int32_t layers;
  float *numbers; /* position table and norms, in one allocation */
};

/* Reads and converts every tensor but the word table. Products take up to max_rows rows; `precision` is FP32
 * or BF16. With BF16 the projections and the intermediate layer come out as bf16, what is added to the state
 * as fp32. */
bool weights_open(struct weights *weights, const struct model *model, enum precision precision,
                  int32_t max_rows, struct error *error);

/* A zeroed struct is an empty one. */
void weights_close(struct weights *weights);
