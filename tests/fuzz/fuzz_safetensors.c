/* Fuzzes the reader of safetensors files, and compares its header with jansson's view of it.
 *
 * An input that begins with '{' is a header alone; the file gets the right length before it and as much data
 * as it names. Any other input is the file. */
#include <jansson.h>
#include <math.h>

#include "io/safetensors.h"
#include "tests/fuzz/harness.h"

#define VALUES_MAX 4096

static void check_values(const struct tensor *tensor) {
  if (tensor->dtype == DTYPE_OTHER) return;
  static float values[VALUES_MAX];
  const int64_t bad = tensor_find_not_finite(tensor);
  REQUIRE(bad >= -1 && bad < tensor->elements);
  const int64_t count = tensor->elements < VALUES_MAX ? tensor->elements : VALUES_MAX;
  tensor_to_f32(tensor, 0, count, values);
  int64_t first = -1;
  for (int64_t i = count - 1; i >= 0; i--)
    if (!isfinite(values[i])) first = i;
  if (first >= 0 || count == tensor->elements) REQUIRE(bad == first);
  if (count > 1) { /* from the middle: the same */
    float again;
    tensor_to_f32(tensor, count / 2, 1, &again);
    REQUIRE(memcmp(&again, &values[count / 2], sizeof again) == 0);
  }
}

static void check_tensor(const struct safetensors *file, const struct tensor *tensor, const json_t *header) {
  int64_t size;
  const char *bytes = safetensors_bytes(file, &size), *data = tensor->data;
  REQUIRE(tensor->bytes >= 0 && tensor->elements >= 0);
  REQUIRE(data >= bytes && data + tensor->bytes <= bytes + size);
  REQUIRE(tensor->dimensions >= 0 && tensor->dimensions <= TENSOR_DIMENSIONS_MAX);
  int64_t elements = 1;
  for (int d = 0; d < tensor->dimensions; d++) {
    REQUIRE(tensor->shape[d] >= 0);
    REQUIRE(!__builtin_mul_overflow(elements, tensor->shape[d], &elements));
  }
  REQUIRE(elements == tensor->elements);
  REQUIRE(safetensors_find(file, tensor->name) == tensor);
  const json_t *own = json_object_get(header, tensor->name);
  const char *dtype = json_string_value(json_object_get(own, "dtype"));
  REQUIRE(dtype &&
          strncmp(dtype, tensor->dtype_name, sizeof tensor->dtype_name - 1) == 0); /* a long one is cut */
  REQUIRE((int)json_array_size(json_object_get(own, "shape")) == tensor->dimensions);
  check_values(tensor);
}

static void check_file(const struct safetensors *file) {
  int64_t size;
  const unsigned char *bytes = safetensors_bytes(file, &size);
  uint64_t length = 0;
  REQUIRE(size > 8);
  for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
  REQUIRE(length <= (uint64_t)size - 8);
  json_t *header = json_loadb((const char *)bytes + 8, (size_t)length, JSON_ALLOW_NUL, NULL);
  REQUIRE(header);
  for (int64_t i = 0; i < safetensors_count(file); i++) check_tensor(file, safetensors_at(file, i), header);
  REQUIRE(!safetensors_find(file, "no tensor has this name"));
  json_decref(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct error error = {0};
  char path[256];
  if (size > 0 && data[0] == '{') {
    static const char head[] = "@@s model.safetensors\n";
    char *section = malloc(sizeof head + size);
    REQUIRE(section);
    memcpy(section, head, sizeof head - 1);
    memcpy(section + sizeof head - 1, data, size);
    snprintf(path, sizeof path, "%s/model.safetensors",
             scratch_sections("model", (uint8_t *)section, sizeof head - 1 + size, NULL));
    free(section);
  } else {
    snprintf(path, sizeof path, "%s", scratch_file("model.safetensors", data, size));
  }
  struct safetensors *file = safetensors_open(path, &error);
  if (file)
    check_file(file);
  else
    require_sentence(&error);
  safetensors_close(file);
  return 0;
}
