/* A safetensors file, mapped read-only: u64 little-endian header length, a JSON header, then the tensors'
 * bytes. Every offset, size and shape in the header is checked against the file before use. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/look.h"

enum dtype { DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_OTHER };

#define TENSOR_DIMENSIONS_MAX 8

struct tensor {
  const char *name; /* owned by the file */
  enum dtype dtype;
  char dtype_name[8];
  int dimensions;
  int64_t shape[TENSOR_DIMENSIONS_MAX];
  int64_t elements;
  const void *data; /* in the mapping; little-endian, without alignment */
  int64_t bytes;
};

struct safetensors;

struct safetensors *safetensors_open(const char *path, struct error *error);
int64_t safetensors_count(const struct safetensors *file);
const struct tensor *safetensors_at(const struct safetensors *file, int64_t index);

/* NULL if there is no tensor with this name. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);

/* The whole mapped file, for hashing. */
const void *safetensors_bytes(const struct safetensors *file, int64_t *size);

/* False with ERROR_INPUT if the file was written to since it was opened. Ask after reading tensors, before
 * what was read is used. */
bool safetensors_stands(const struct safetensors *file, struct error *error);

/* Looks at the mapped file, wherever its path leads by now. */
bool safetensors_look(const struct safetensors *file, struct look *look, struct error *error);

void safetensors_close(struct safetensors *file);

/* output[i] = tensor element first + i as fp32, for i < count; DTYPE_OTHER is not allowed. */
void tensor_to_f32(const struct tensor *tensor, int64_t first, int64_t count, float *output);

/* Index of the first infinite or NaN element; -1 if there is none. Reads at memory speed. DTYPE_OTHER is not
 * allowed. */
int64_t tensor_find_not_finite(const struct tensor *tensor);
