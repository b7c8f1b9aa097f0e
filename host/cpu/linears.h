/* Linear layers as fp32 numbers, on their way into a product. */
#pragma once

#include "host/model/model.h"

/* Bytes of a buffer for any product's fp32 weights and biases. */
size_t linears_buffer_size(const struct model_shape *shape);

/* Converts `count` linear layers with the same inputs into `buffer`, one below the other. Returns their
 * biases, which lie behind the weights. */
const float *linears_read(const struct linear *const *linear, int count, float *buffer);
