/* A model's weights on one card, in the form that the kernels and cuBLASLt read: matrices, biases and tables
 * in fp16, norms in fp32. All weights are in one allocation, and its layout depends only on the model's
 * shape. So another card, or another rank, can copy that allocation instead of reading the model. */
#pragma once

#include "cuda/kernels.h"
#include "host/model/model.h"

/* One linear layer: weight [outputs, inputs], bias [outputs]. */
struct cuda_linear {
  const uint16_t *weight, *bias;
};

struct cuda_layer {
  struct cuda_linear projection; /* query, key and value, one below the other: [3 · hidden, hidden] */
  struct cuda_linear attention_output;
  struct cuda_linear intermediate;
  struct cuda_linear output;
  struct kernel_norm attention_norm, output_norm;
};

/* A tensor's place in the allocation. */
struct cuda_piece {
  const struct tensor *tensor; /* NULL: zeros (a Dense module without bias, a family without token types) */
  int64_t elements; /* how many elements are used, from the first; all, except in the token-type table */
  size_t offset;
  bool half; /* true: fp16; false: fp32 */
};

struct cuda_weights {
  void *arena; /* device memory */
  size_t bytes;
  struct kernel_embedding_tables embedding;
  struct kernel_norm embedding_norm;
  struct cuda_layer *layer;            /* [layers] */
  struct cuda_linear dense[DENSE_MAX]; /* the Dense modules' */
  struct cuda_piece *piece;            /* [pieces], sorted by offset */
  int32_t pieces;
};

/* Bytes that a model's weights take on the card; 0 if host memory is short. */
size_t cuda_weights_bytes(const struct model *model);

/* Allocates the memory and lays it out, without filling it. cuda_weights_close also takes a zeroed struct. */
bool cuda_weights_open(struct cuda_weights *weights, const struct model *model, struct error *error);
void cuda_weights_close(struct cuda_weights *weights);

/* Reads the model's tensors, converts them and copies them to the card. Two pinned buffers let reading and
 * copying overlap. The weights are complete on return. ERROR_UNSUPPORTED if fp16 cannot hold a number; the
 * error names the tensor. */
bool cuda_weights_upload(const struct cuda_weights *weights, cudaStream_t stream, struct error *error);
