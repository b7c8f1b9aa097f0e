/* A model's weights on one card, in the form that the kernels and cuBLASLt read: matrices, biases and tables
 * in fp16, norms in fp32, all in one allocation whose layout follows from the model's shape alone. So another
 * card, or another rank, can get them by one copy of that allocation instead of by reading the model. */
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
  const struct tensor *tensor;
  int64_t elements; /* its first ones; all but of the token-type table */
  size_t offset;
  bool half; /* fp16, otherwise fp32 */
};

struct cuda_weights {
  void *arena; /* device memory */
  size_t bytes;
  struct kernel_embedding_tables embedding;
  struct kernel_norm embedding_norm;
  struct cuda_layer *layer; /* [layers] */
  struct cuda_piece *piece; /* [pieces], by offset */
  int32_t pieces;
};

/* Bytes that the weights of a model take on the card; 0 when memory (of the host) is short. */
size_t cuda_weights_bytes(const struct model *model);

/* Allocates and lays out; nothing is in it yet. A zeroed struct is an empty one, for cuda_weights_close. */
bool cuda_weights_open(struct cuda_weights *weights, const struct model *model, struct error *error);
void cuda_weights_close(struct cuda_weights *weights);

/* Reads the model's tensors, converts them and copies them up, through two pinned buffers so that reading and
 * copying overlap. All is there when it returns. A number that fp16 cannot hold is ERROR_UNSUPPORTED and
 * names its tensor. */
bool cuda_weights_upload(const struct cuda_weights *weights, cudaStream_t stream, struct error *error);
