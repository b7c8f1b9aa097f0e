#include "tests/gpu_check/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/half.h"
#include "io/file.h"

#define FILE_MOST ((size_t)1 << 26)
#define NPY_START 10 /* 8 bytes magic, 2 bytes header length */

static bool file_of(const char *folder, const char *name, char **data, size_t *size, struct error *error) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return file_read(path, FILE_MOST, data, size, error);
}

/* rows.npy, fp32, C order. */
static bool rows_read(struct golden *golden, const char *folder, struct error *error) {
  const size_t wanted = (size_t)golden->texts * (size_t)golden->model->config.shape.widest * sizeof(float);
  char *data = NULL;
  size_t size = 0, start = 0;
  if (!file_of(folder, "rows.npy", &data, &size, error)) return false;
  if (size > NPY_START) start = NPY_START + (unsigned char)data[8] + 256 * (size_t)(unsigned char)data[9];
  golden->rows = malloc(wanted);
  const bool fits = start && start + wanted == size && memcmp(data, "\x93NUMPY\x01", 7) == 0;
  if (fits && golden->rows) memcpy(golden->rows, data + start, wanted);
  free(data);
  if (!fits)
    return error_set(error, ERROR_INPUT, "%s/rows.npy: expected %d rows of %d fp32 numbers", folder,
                     golden->texts, golden->model->config.shape.widest);
  return golden->rows || error_set_memory(error, wanted, "golden rows");
}

/* Appends the ids from one line in ids.jsonl. */
static bool ids_append(struct golden *golden, const json_t *line, struct error *error) {
  const json_t *tokens = json_object_get(line, "tokens");
  const int32_t first = golden->texts ? golden->offsets[golden->texts] : 0;
  const int32_t count = (int32_t)json_array_size(tokens);
  int32_t *ids = realloc(golden->ids, ((size_t)first + (size_t)count + 1) * sizeof *ids);
  if (ids) golden->ids = ids;
  int32_t *offsets = realloc(golden->offsets, ((size_t)golden->texts + 2) * sizeof *offsets);
  if (offsets) golden->offsets = offsets;
  if (!ids || !offsets) return error_set_memory(error, (size_t)count * sizeof *ids, "golden ids");
  offsets[0] = 0;
  for (int32_t i = 0; i < count; i++)
    ids[first + i] = (int32_t)json_integer_value(json_array_get(tokens, (size_t)i));
  offsets[++golden->texts] = first + count;
  return true;
}

static bool ids_read(struct golden *golden, const char *folder, struct error *error) {
  char *data = NULL, *rest;
  size_t size;
  if (!file_of(folder, "ids.jsonl", &data, &size, error)) return false;
  bool done = true;
  for (char *line = strtok_r(data, "\n", &rest); line && done; line = strtok_r(NULL, "\n", &rest)) {
    json_t *object = json_loads(line, 0, NULL);
    done = object ? ids_append(golden, object, error)
                  : error_set(error, ERROR_INPUT, "%s/ids.jsonl:%d: no JSON", folder, golden->texts + 1);
    json_decref(object);
  }
  free(data);
  return done;
}

bool golden_open(struct golden *golden, const char *folder, struct error *error) {
  memset(golden, 0, sizeof *golden);
  golden->model = model_open(folder, error);
  if (golden->model && ids_read(golden, folder, error) && rows_read(golden, folder, error)) return true;
  golden_close(golden);
  return false;
}

void golden_close(struct golden *golden) {
  if (golden->model) model_close(golden->model);
  free(golden->ids);
  free(golden->offsets);
  free(golden->rows);
  memset(golden, 0, sizeof *golden);
}

void golden_cut(struct golden *golden, int32_t tokens) {
  const size_t widest = (size_t)golden->model->config.shape.widest;
  int32_t kept = 0, start = 0; /* start: the current text's; the previous text's new end has overwritten it */
  for (int32_t text = 0; text < golden->texts; text++) {
    const int32_t end = golden->offsets[text + 1], length = end - start;
    if (length <= tokens) {
      memmove(golden->ids + golden->offsets[kept], golden->ids + start, (size_t)length * sizeof(int32_t));
      memmove(golden->rows + (size_t)kept * widest, golden->rows + (size_t)text * widest,
              widest * sizeof(float));
      kept++;
      golden->offsets[kept] = golden->offsets[kept - 1] + length;
    }
    start = end;
  }
  golden->texts = kept;
}

struct batch golden_batch(const struct golden *golden, int32_t first, int32_t end, int32_t *offsets) {
  for (int32_t i = first; i <= end; i++) offsets[i - first] = golden->offsets[i] - golden->offsets[first];
  return (struct batch){golden->ids + golden->offsets[first], offsets, end - first, 0};
}

int32_t golden_batch_end(const struct golden *golden, int32_t first, int32_t tokens) {
  int32_t end = first + 1;
  while (end < golden->texts && golden->offsets[end + 1] - golden->offsets[first] <= tokens) end++;
  return end;
}

double golden_cosine(const struct golden *golden, int32_t text, const uint16_t *row, int32_t width) {
  const float *reference = golden->rows + (int64_t)text * golden->model->config.shape.widest;
  double product = 0, a = 0, b = 0;
  for (int32_t i = 0; i < width; i++) {
    const double x = (double)half_to_float(row[i]), y = (double)reference[i];
    product += x * y;
    a += x * x;
    b += y * y;
  }
  return product / sqrt(a * b);
}
