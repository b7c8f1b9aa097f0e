#include "cuda/cuda_weights.h"

#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"

#define ALIGNMENT 256      /* bytes; cuBLASLt's fastest algorithms need this alignment */
#define PIECES_OF_LAYER 16 /* six linear layers (query, key, value, …) and two norms, two tensors each */
#define PIECES_BESIDE_LAYERS (5 + 2 * DENSE_MAX)

static size_t align_up(size_t bytes) {
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Takes the next place for a tensor. If `joined`, the place is directly behind the tensor before, without a
 * gap. Before the arena is allocated, the address is only a number. */
static uintptr_t piece_place(struct cuda_weights *weights, const struct tensor *tensor, int64_t elements,
                             bool half, bool joined) {
  const size_t offset = joined ? weights->bytes : align_up(weights->bytes);
  weights->piece[weights->pieces++] = (struct cuda_piece){tensor, elements, offset, half};
  weights->bytes = offset + (size_t)elements * (half ? sizeof(uint16_t) : sizeof(float));
  return (uintptr_t)weights->arena + offset;
}

static const uint16_t *halves_place(struct cuda_weights *weights, const struct tensor *tensor) {
  return (const uint16_t *)piece_place(weights, tensor, tensor->elements, true, false);
}

static struct kernel_norm norm_place(struct cuda_weights *weights, const struct norm *norm, float epsilon) {
  const float *weight =
      (const float *)piece_place(weights, norm->weight, norm->weight->elements, false, false);
  const float *bias = (const float *)piece_place(weights, norm->bias, norm->bias->elements, false, false);
  return (struct kernel_norm){weight, bias, epsilon};
}

static struct cuda_linear linear_place(struct cuda_weights *weights, const struct linear *linear) {
  const uint16_t *weight = halves_place(weights, linear->weight);
  return (struct cuda_linear){weight, halves_place(weights, linear->bias)};
}

static struct cuda_linear projection_place(struct cuda_weights *weights, const struct layer *layer) {
  const struct linear *const part[] = {&layer->query, &layer->key, &layer->value};
  struct cuda_linear projection;
  projection.weight = halves_place(weights, part[0]->weight);
  for (int i = 1; i < 3; i++) piece_place(weights, part[i]->weight, part[i]->weight->elements, true, true);
  projection.bias = halves_place(weights, part[0]->bias);
  for (int i = 1; i < 3; i++) piece_place(weights, part[i]->bias, part[i]->bias->elements, true, true);
  return projection;
}

static struct cuda_linear dense_place(struct cuda_weights *weights, const struct linear *linear,
                                      int32_t outputs) {
  const uint16_t *weight = halves_place(weights, linear->weight);
  return (struct cuda_linear){weight,
                              (const uint16_t *)piece_place(weights, linear->bias, outputs, true, false)};
}

/* Gives every tensor a place in the arena, from the arena's start. */
static void weights_place(struct cuda_weights *weights, const struct model *model) {
  const struct model_shape *shape = &model->config.shape;
  weights->bytes = 0;
  weights->pieces = 0;
  weights->embedding.first_position = shape->first_position;
  weights->embedding.word = halves_place(weights, model->word_embedding);
  weights->embedding.position = halves_place(weights, model->position_embedding);
  weights->embedding.type =
      (const uint16_t *)piece_place(weights, model->type_embedding, shape->hidden, true, false);
  weights->embedding_norm = norm_place(weights, &model->embedding_norm, shape->layer_norm_eps);
  for (int32_t l = 0; l < shape->layers; l++) {
    const struct layer *from = &model->layer[l];
    struct cuda_layer *to = &weights->layer[l];
    to->projection = projection_place(weights, from);
    to->attention_output = linear_place(weights, &from->attention_output);
    to->attention_norm = norm_place(weights, &from->attention_norm, shape->layer_norm_eps);
    to->intermediate = linear_place(weights, &from->intermediate);
    to->output = linear_place(weights, &from->output);
    to->output_norm = norm_place(weights, &from->output_norm, shape->layer_norm_eps);
  }
  for (int32_t d = 0; d < model->config.modules.dense_count; d++)
    weights->dense[d] = dense_place(weights, &model->dense[d], model->config.dense[d].outputs);
  weights->bytes = align_up(weights->bytes);
}

/* Lays out the weights at address 0 to count their bytes. */
static bool weights_measure(struct cuda_weights *weights, const struct model *model, struct error *error) {
  const size_t layers = (size_t)model->config.shape.layers;
  memset(weights, 0, sizeof *weights);
  weights->layer = calloc(layers, sizeof *weights->layer);
  weights->piece = calloc(layers * PIECES_OF_LAYER + PIECES_BESIDE_LAYERS, sizeof *weights->piece);
  if (!weights->layer || !weights->piece) {
    cuda_weights_close(weights);
    return error_set_memory(error, layers * PIECES_OF_LAYER * sizeof *weights->piece, "the list of weights");
  }
  weights_place(weights, model);
  return true;
}

size_t cuda_weights_bytes(const struct model *model) {
  struct cuda_weights weights;
  struct error unused;
  if (!weights_measure(&weights, model, &unused)) return 0;
  const size_t bytes = weights.bytes;
  cuda_weights_close(&weights);
  return bytes;
}

bool cuda_weights_open(struct cuda_weights *weights, const struct model *model, struct error *error) {
  if (!weights_measure(weights, model, error)) return false;
  if (!cuda_check(cudaMalloc(&weights->arena, weights->bytes), error,
                  "%zu bytes on the card for the weights of %s", weights->bytes, model->config.name)) {
    weights->arena = NULL;
    cuda_weights_close(weights);
    return false;
  }
  weights_place(weights, model);
  return true;
}

void cuda_weights_close(struct cuda_weights *weights) {
  if (weights->arena) cudaFree(weights->arena);
  free(weights->layer);
  free(weights->piece);
  memset(weights, 0, sizeof *weights);
}
