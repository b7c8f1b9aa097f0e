#include "tests/gpu_check/random_model.h"

#include <stdlib.h>

/* Tensors without data, one for each size; the card's layout follows from them. */
struct sizes {
  struct tensor vector, wide_vector, square, wide, word, position, type;
};

static struct tensor tensor_of(int64_t elements) {
  return (struct tensor){.name = "random", .dtype = DTYPE_F16, .elements = elements};
}

static struct layer layer_of(const struct sizes *sizes) {
  const struct linear square = {&sizes->square, &sizes->vector};
  const struct norm norm = {&sizes->vector, &sizes->vector};
  return (struct layer){.query = square,
                        .key = square,
                        .value = square,
                        .attention_output = square,
                        .attention_norm = norm,
                        .intermediate = {&sizes->wide, &sizes->wide_vector},
                        .output = {&sizes->wide, &sizes->vector},
                        .output_norm = norm};
}

/* Fills a norm's two vectors, with ones and with zeros; all other weights are random. */
static bool norm_fill(struct check *check, const struct kernel_norm *norm, int32_t hidden,
                      struct error *error) {
  const size_t bytes = (size_t)hidden * sizeof(float);
  float *numbers = calloc(1, bytes);
  if (!numbers) return error_set_memory(error, bytes, "a norm");
  bool done = device_write(check, (void *)norm->bias, numbers, bytes, error);
  for (int32_t i = 0; i < hidden; i++) numbers[i] = 1;
  done = done && device_write(check, (void *)norm->weight, numbers, bytes, error);
  free(numbers);
  return done;
}

struct cuda_forward random_model_forward(const struct check *check, int32_t batch_tokens) {
  const struct model_shape *shape = &check->scale->shape;
  struct cuda_forward forward = {.shape = *shape, .device = check->card.device, .batch_tokens = batch_tokens};
  for (int32_t width = shape->hidden; width >= shape->hidden / 16; width /= 2)
    forward.widths[forward.width_count++] = width;
  return forward;
}

bool random_model_make(struct check *check, struct cuda_forward *forward, struct error *error) {
  const struct model_shape *shape = &forward->shape;
  const int64_t hidden = shape->hidden, ffn = shape->ffn;
  const struct sizes sizes = {tensor_of(hidden),
                              tensor_of(ffn),
                              tensor_of(hidden * hidden),
                              tensor_of(ffn * hidden),
                              tensor_of(shape->vocabulary * hidden),
                              tensor_of(shape->positions * hidden),
                              tensor_of(hidden)};
  struct model model = {.config = {.name = "a random model", .shape = *shape},
                        .word_embedding = &sizes.word,
                        .position_embedding = &sizes.position,
                        .type_embedding = &sizes.type,
                        .embedding_norm = {&sizes.vector, &sizes.vector}};
  model.layer = calloc((size_t)shape->layers, sizeof *model.layer);
  if (!model.layer) return error_set_memory(error, (size_t)shape->layers * sizeof *model.layer, "layers");
  for (int32_t l = 0; l < shape->layers; l++) model.layer[l] = layer_of(&sizes);
  struct cuda_weights *weights = &forward->weights;
  bool done = cuda_weights_open(weights, &model, error) &&
              device_fill(check, weights->arena, weights->bytes, 0.03f, 11, error) &&
              norm_fill(check, &weights->embedding_norm, shape->hidden, error);
  for (int32_t l = 0; l < shape->layers && done; l++)
    done = norm_fill(check, &weights->layer[l].attention_norm, shape->hidden, error) &&
           norm_fill(check, &weights->layer[l].output_norm, shape->hidden, error);
  free(model.layer);
  return done;
}
