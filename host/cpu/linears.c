#include "host/cpu/linears.h"

size_t linears_buffer_size(const struct model_shape *shape) {
  const size_t hidden = (size_t)shape->hidden, ffn = (size_t)shape->ffn;
  return (hidden > ffn ? 3 * hidden : 3 * ffn) * (hidden + 1) * sizeof(float);
}

const float *linears_read(const struct linear *const *linear, int count, float *buffer) {
  int64_t weights = 0, biases = 0;
  for (int i = 0; i < count; i++) weights += linear[i]->weight->elements;
  float *weight = buffer, *bias = buffer + weights;
  for (int i = 0; i < count; i++) {
    tensor_to_f32(linear[i]->weight, 0, linear[i]->weight->elements, weight);
    tensor_to_f32(linear[i]->bias, 0, linear[i]->bias->elements, bias + biases);
    weight += linear[i]->weight->elements;
    biases += linear[i]->bias->elements;
  }
  return bias;
}
