#include "io/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_parse.h"
#include "io/mapped_file.h"

#define LENGTH_BYTES 8               /* the u64 before the header */
#define HEADER_BYTES_MAX 100000000ll /* the format's own limit */
#define LFS_POINTER "version https://git-lfs"

struct safetensors {
  char *path;
  struct mapped_file map;
  int64_t data; /* place of the tensors in the file */
  json_t *header;
  struct tensor *tensor; /* [count], sorted by name */
  int64_t count;
};

static const struct {
  const char *name;
  enum dtype dtype;
  int bytes; /* per element */
} dtypes[] = {
    {"F32", DTYPE_F32, 4},       {"F16", DTYPE_F16, 2},       {"BF16", DTYPE_BF16, 2},
    {"F64", DTYPE_OTHER, 8},     {"I64", DTYPE_OTHER, 8},     {"U64", DTYPE_OTHER, 8},
    {"C64", DTYPE_OTHER, 8},     {"I32", DTYPE_OTHER, 4},     {"U32", DTYPE_OTHER, 4},
    {"I16", DTYPE_OTHER, 2},     {"U16", DTYPE_OTHER, 2},     {"I8", DTYPE_OTHER, 1},
    {"U8", DTYPE_OTHER, 1},      {"BOOL", DTYPE_OTHER, 1},    {"F8_E4M3", DTYPE_OTHER, 1},
    {"F8_E5M2", DTYPE_OTHER, 1}, {"F8_E8M0", DTYPE_OTHER, 1},
};

static bool tensor_error(const struct safetensors *file, const struct tensor *tensor, struct error *error,
                         const char *what) {
  return error_set(error, ERROR_INPUT, "%s: tensor \"%.200s\": %s", file->path, tensor->name, what);
}

/* Reads the member `key` as an array of at most `limit` integers from 0. */
static bool integers_read(const json_t *object, const char *key, int64_t *value, int limit, int *count) {
  const json_t *array = json_object_get(object, key);
  if (!json_is_array(array) || json_array_size(array) > (size_t)limit) return false;
  *count = (int)json_array_size(array);
  for (int i = 0; i < *count; i++) {
    const json_t *number = json_array_get(array, (size_t)i);
    if (!json_is_integer(number) || json_integer_value(number) < 0) return false;
    value[i] = json_integer_value(number);
  }
  return true;
}

/* Fills a tensor from its entry in the header. The tensor's place is checked against the data, its shape
 * against its place. */
static bool tensor_parse(const struct safetensors *file, const char *name, const json_t *entry,
                         struct tensor *tensor, struct error *error) {
  *tensor = (struct tensor){.name = name, .dtype = DTYPE_OTHER, .elements = 1};
  const char *dtype = json_string_value(json_object_get(entry, "dtype"));
  if (!dtype) return tensor_error(file, tensor, error, "it has no dtype");
  strncpy(tensor->dtype_name, dtype, sizeof tensor->dtype_name - 1);

  int64_t place[2];
  int places;
  if (!integers_read(entry, "data_offsets", place, 2, &places) || places != 2)
    return tensor_error(file, tensor, error, "data_offsets is not [begin, end], both from 0");
  if (place[0] > place[1] || place[1] > file->map.size - file->data)
    return error_set(error, ERROR_INPUT,
                     "%s: tensor \"%.200s\" is said to lie at bytes %lld to %lld of the %lld that follow the "
                     "header: the file is cut short or damaged",
                     file->path, name, (long long)place[0], (long long)place[1],
                     (long long)(file->map.size - file->data));
  tensor->data = file->map.bytes + file->data + place[0];
  tensor->bytes = place[1] - place[0];

  if (!integers_read(entry, "shape", tensor->shape, TENSOR_DIMENSIONS_MAX, &tensor->dimensions))
    return tensor_error(file, tensor, error, "shape is not a list of at most 8 numbers from 0");
  for (int i = 0; i < tensor->dimensions; i++)
    if (__builtin_mul_overflow(tensor->elements, tensor->shape[i], &tensor->elements))
      return tensor_error(file, tensor, error, "its shape has more elements than 64 bits can count");

  for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
    if (strcmp(dtype, dtypes[i].name) != 0) continue;
    tensor->dtype = dtypes[i].dtype;
    int64_t bytes;
    if (__builtin_mul_overflow(tensor->elements, dtypes[i].bytes, &bytes) || bytes != tensor->bytes)
      return error_set(error, ERROR_INPUT,
                       "%s: tensor \"%.200s\": %lld elements of %s do not take %lld bytes", file->path, name,
                       (long long)tensor->elements, dtype, (long long)tensor->bytes);
  }
  return true;
}

static int tensor_compare_place(const void *a, const void *b) {
  const struct tensor *left = a, *right = b;
  if (left->data != right->data) return left->data < right->data ? -1 : 1;
  return (left->bytes > right->bytes) - (left->bytes < right->bytes);
}

static int tensor_compare_name(const void *a, const void *b) {
  return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

/* The format says that the tensors cover the data without a gap or an overlap. If they do not, the file is
 * damaged or forged. */
static bool tensors_check_cover(struct safetensors *file, struct error *error) {
  const unsigned char *next = file->map.bytes + file->data, *end = file->map.bytes + file->map.size;
  qsort(file->tensor, (size_t)file->count, sizeof *file->tensor, tensor_compare_place);
  for (int64_t i = 0; i < file->count; i++) {
    const struct tensor *tensor = &file->tensor[i];
    if ((const unsigned char *)tensor->data != next)
      return tensor_error(file, tensor, error,
                          (const unsigned char *)tensor->data < next ? "it overlaps the tensor before it"
                                                                     : "no tensor holds the bytes before it");
    next += tensor->bytes;
  }
  if (next == end) return true;
  return error_set(error, ERROR_INPUT, "%s: the last %lld bytes belong to no tensor", file->path,
                   (long long)(end - next));
}

static bool tensors_read(struct safetensors *file, struct error *error) {
  file->tensor = calloc(json_object_size(file->header) + 1, sizeof *file->tensor);
  if (!file->tensor) return error_set_memory(error, json_object_size(file->header), "a table of tensors");
  const char *name;
  json_t *entry;
  json_object_foreach(file->header, name, entry) {
    if (strcmp(name, "__metadata__") == 0) continue;
    if (!tensor_parse(file, name, entry, &file->tensor[file->count], error)) return false;
    file->count++;
  }
  if (!tensors_check_cover(file, error)) return false;
  qsort(file->tensor, (size_t)file->count, sizeof *file->tensor, tensor_compare_name);
  return true;
}

static bool header_read(struct safetensors *file, struct error *error) {
  if (file->map.size >= (int64_t)sizeof LFS_POINTER &&
      memcmp(file->map.bytes, LFS_POINTER, sizeof LFS_POINTER - 1) == 0)
    return error_set(error, ERROR_INPUT,
                     "%s is a Git LFS pointer, not the weights: fetch them with `git lfs pull`", file->path);
  uint64_t length = 0;
  for (int i = 0; i < LENGTH_BYTES && file->map.size >= LENGTH_BYTES; i++)
    length |= (uint64_t)file->map.bytes[i] << (8 * i);
  if (file->map.size < LENGTH_BYTES || length > (uint64_t)(file->map.size - LENGTH_BYTES))
    return error_set(error, ERROR_INPUT,
                     "%s is not a whole safetensors file: it has %lld bytes, and its header would take %llu",
                     file->path, (long long)file->map.size, (unsigned long long)length);
  if (length > HEADER_BYTES_MAX)
    return error_set(error, ERROR_INPUT, "%s: a safetensors header of %llu bytes; the format allows %lld",
                     file->path, (unsigned long long)length, HEADER_BYTES_MAX);
  json_error_t problem;
  file->header = json_parse((const char *)file->map.bytes + LENGTH_BYTES, (size_t)length,
                            JSON_REJECT_DUPLICATES, &problem);
  if (!file->header && json_error_code(&problem) == json_error_out_of_memory)
    return error_set_memory(error, (size_t)length, "the header of a weights file");
  if (!file->header)
    return error_set(error, ERROR_INPUT, "%s: the safetensors header is not JSON: %s (byte %d of it)",
                     file->path, problem.text, problem.position);
  if (!json_is_object(file->header))
    return error_set(error, ERROR_INPUT, "%s: the safetensors header is not a JSON object", file->path);
  file->data = LENGTH_BYTES + (int64_t)length;
  return true;
}

struct safetensors *safetensors_open(const char *path, struct error *error) {
  struct safetensors *file = calloc(1, sizeof *file);
  if (!file || !(file->path = strdup(path))) {
    error_set_memory(error, sizeof *file, "a weights file");
    goto fail;
  }
  if (mapped_file_open(&file->map, file->path, "a safetensors file", error) && header_read(file, error) &&
      tensors_read(file, error))
    return file;
fail:
  safetensors_close(file);
  return NULL;
}

int64_t safetensors_count(const struct safetensors *file) {
  return file->count;
}

const struct tensor *safetensors_at(const struct safetensors *file, int64_t index) {
  return &file->tensor[index];
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name) {
  const struct tensor key = {.name = name};
  return bsearch(&key, file->tensor, (size_t)file->count, sizeof *file->tensor, tensor_compare_name);
}

const void *safetensors_bytes(const struct safetensors *file, int64_t *size) {
  *size = file->map.size;
  return file->map.bytes;
}

bool safetensors_stands(const struct safetensors *file, struct error *error) {
  return mapped_file_stands(&file->map, error);
}

bool safetensors_look(const struct safetensors *file, struct look *look, struct error *error) {
  return look_at_open(file->map.descriptor, file->path, look, error);
}

void safetensors_close(struct safetensors *file) {
  if (!file) return;
  json_decref(file->header);
  free(file->tensor);
  mapped_file_close(&file->map);
  free(file->path);
  free(file);
}

/* Uses only integers and one product, so any compiler can vectorise it without a conversion instruction. The
 * exponent's bias is 112 lower in fp16 than in fp32. The product corrects the bias, for subnormal numbers
 * too, and is exact. */
static void half_to_f32(const unsigned char *from, int64_t count, float *output) {
  for (int64_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, from + 2 * i, sizeof half);
    const uint32_t shifted = (uint32_t)(half & 0x7fff) << 13, sign = (uint32_t)(half & 0x8000) << 16;
    float scaled;
    memcpy(&scaled, &shifted, sizeof scaled);
    scaled *= 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &scaled, sizeof bits);
    /* Infinity and NaN keep their mantissa; all bits of the exponent are set. */
    const uint32_t special = -(uint32_t)(shifted >= (uint32_t)0x7c00 << 13);
    bits |= sign | (special & 0x7f800000);
    memcpy(&output[i], &bits, sizeof bits);
  }
}

static void bfloat_to_f32(const unsigned char *from, int64_t count, float *output) {
  for (int64_t i = 0; i < count; i++) {
    uint16_t half;
    memcpy(&half, from + 2 * i, sizeof half);
    const uint32_t bits = (uint32_t)half << 16;
    memcpy(&output[i], &bits, sizeof bits);
  }
}

void tensor_to_f32(const struct tensor *tensor, int64_t first, int64_t count, float *output) {
  const unsigned char *data = tensor->data;
  switch (tensor->dtype) {
    case DTYPE_F32:
      memcpy(output, data + 4 * first, (size_t)count * sizeof *output);
      return;
    case DTYPE_BF16:
      bfloat_to_f32(data + 2 * first, count, output);
      return;
    case DTYPE_F16:
      half_to_f32(data + 2 * first, count, output);
      return;
    case DTYPE_OTHER:
      return;
  }
}

#define SCAN_ELEMENTS 65536 /* between two checks of the result */

/* Infinities and NaNs have every exponent bit set, so without the sign they are the largest integers. The
 * compiler vectorises both loops. */
static bool words_are_finite(const void *data, int64_t count, uint32_t infinity) {
  typedef uint32_t word __attribute__((aligned(1), may_alias));
  const word *words = data;
  int32_t most = 0;
  for (int64_t i = 0; i < count; i++) {
    const int32_t magnitude = (int32_t)(words[i] & 0x7fffffff);
    most = magnitude > most ? magnitude : most;
  }
  return (uint32_t)most < infinity;
}

static bool halves_are_finite(const void *data, int64_t count, uint16_t infinity) {
  typedef uint16_t half __attribute__((aligned(1), may_alias));
  const half *halves = data;
  int16_t most = 0;
  for (int64_t i = 0; i < count; i++) {
    const int16_t magnitude = (int16_t)(halves[i] & 0x7fff);
    most = magnitude > most ? magnitude : most;
  }
  return (uint16_t)most < infinity;
}

static bool range_is_finite(const struct tensor *tensor, int64_t first, int64_t count) {
  const unsigned char *data = tensor->data;
  switch (tensor->dtype) {
    case DTYPE_F32:
      return words_are_finite(data + 4 * first, count, 0x7f800000);
    case DTYPE_BF16:
      return halves_are_finite(data + 2 * first, count, 0x7f80);
    case DTYPE_F16:
      return halves_are_finite(data + 2 * first, count, 0x7c00);
    case DTYPE_OTHER:
      break;
  }
  return true;
}

int64_t tensor_find_not_finite(const struct tensor *tensor) {
  for (int64_t first = 0; first < tensor->elements; first += SCAN_ELEMENTS) {
    const int64_t left = tensor->elements - first, count = left < SCAN_ELEMENTS ? left : SCAN_ELEMENTS;
    if (range_is_finite(tensor, first, count)) continue;
    /* If the file is written to meanwhile, the number may be gone: safetensors_stands tells. */
    for (int64_t i = first; i < first + count; i++)
      if (!range_is_finite(tensor, i, 1)) return i;
  }
  return -1;
}
