/* Golden models: folders that sentence-transformers saved, with the token ids and fp32 rows that it
 * computes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above. */
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/encoder_cpu.h"
#include "host/cpu/gemm.h"
#include "host/model/half.h"
#include "io/file.h"

/* Reads rows [count, width] from a .npy file with fp32 numbers: 8 bytes magic, 2 bytes header length, the
 * header, the rows. */
static float *rows_read(const char *path, int32_t width, int32_t *count) {
  struct error error = {.message = ""};
  char *data;
  size_t size;
  if (!file_read(path, 1 << 24, &data, &size, &error)) fail_msg("%s", error.message);
  assert_memory_equal(data, "\x93NUMPY\x01\x00", 8);
  const size_t start = 10 + (size_t)(unsigned char)data[8] + 256 * (size_t)(unsigned char)data[9];
  assert_non_null(strstr(data + 10, "'<f4'"));
  float *rows = malloc(size - start);
  assert_non_null(rows);
  memcpy(rows, data + start, size - start);
  *count = (int32_t)((size - start) / sizeof *rows / (size_t)width);
  free(data);
  return rows;
}

/* Reads one line, which holds one text's ids: one batch. Returns false at the file's end. */
static bool ids_read(FILE *file, int32_t **ids, int32_t *count) {
  json_error_t error;
  json_t *line = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error);
  if (!line) return false;
  const json_t *tokens = json_object_get(line, "tokens");
  *count = (int32_t)json_array_size(tokens);
  *ids = malloc((size_t)*count * sizeof **ids);
  assert_non_null(*ids);
  for (int32_t i = 0; i < *count; i++)
    (*ids)[i] = (int32_t)json_integer_value(json_array_get(tokens, (size_t)i));
  json_decref(line);
  return true;
}

static double cosine(const uint16_t *row, const float *reference, int32_t width) {
  double product = 0, a = 0, b = 0;
  for (int32_t i = 0; i < width; i++) {
    const double x = half_to_float(row[i]);
    product += x * reference[i];
    a += x * x;
    b += (double)reference[i] * reference[i];
  }
  return product / sqrt(a * b);
}

static void check_model(const char *name, enum precision precision, double bound) {
  struct error error = {.message = ""};
  char path[512];
  snprintf(path, sizeof path, "%s/tests/golden/%s", NINA_SOURCE_DIR, name);
  struct model *model = model_open(path, &error);
  if (!model) fail_msg("%s", error.message);
  const int32_t widest = model->config.shape.widest;
  const struct encoder_options options = {.precision = precision,
                                          .slots = 1,
                                          .max_tokens = model->config.shape.max_tokens,
                                          .width_count = 1,
                                          .widths = {widest}};
  struct encoder *encoder = encoder_cpu_open(model, &options, &error);
  if (!encoder) fail_msg("%s", error.message);
  snprintf(path, sizeof path, "%s/tests/golden/%s/rows.npy", NINA_SOURCE_DIR, name);
  int32_t count, tokens, seen = 0, *ids;
  float *reference = rows_read(path, widest, &count);
  uint16_t *row = malloc((size_t)widest * sizeof *row);
  snprintf(path, sizeof path, "%s/tests/golden/%s/ids.jsonl", NINA_SOURCE_DIR, name);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  for (; ids_read(file, &ids, &tokens); seen++, free(ids)) {
    const int32_t offsets[] = {0, tokens};
    const struct batch batch = {ids, offsets, 1, 0};
    assert_true(seen < count);
    if (!encoder_submit(encoder, 0, &batch, &error) || !encoder_wait(encoder, 0, &row, &error))
      fail_msg("%s", error.message);
    const double similar = cosine(row, reference + (int64_t)seen * widest, widest);
    if (!(similar >= bound))
      fail_msg("%s, line %d: cosine %.8f is below %.8f", name, seen + 1, similar, bound);
  }
  assert_int_equal(seen, count);
  fclose(file);
  free(row);
  free(reference);
  encoder_close(encoder);
  model_close(model);
}

static void fp32_rows_are_those_of_sentence_transformers(void **state) {
  (void)state;
  check_model("bert-mean-v6", PRECISION_FP32, 0.999999);
  check_model("xlmr-cls-v3", PRECISION_FP32, 0.999999);
}

/* Folders of modules around the transformer of xlmr-cls-v3. (without-prompt needs a prompt, so its test is
 * in tests/e2e.) */
static void rows_of_every_module_are_those_of_sentence_transformers(void **state) {
  static const char *const names[] = {"max",       "mean_sqrt_len_tokens", "weightedmean",
                                      "lasttoken", "all-by-flags",         "dense"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64];
    snprintf(path, sizeof path, "modules/%s", names[i]);
    check_model(path, PRECISION_FP32, 0.999999);
    if (strncmp(gemm_library_isa(), "avx512_core", 11) == 0) check_model(path, PRECISION_BF16, 0.9999);
  }
}

static void bf16_rows_are_near_those_of_sentence_transformers(void **state) {
  (void)state;
  if (strncmp(gemm_library_isa(), "avx512_core", 11) != 0) skip();
  check_model("bert-mean-v6", PRECISION_BF16, 0.9999);
  check_model("xlmr-cls-v3", PRECISION_BF16, 0.9999);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fp32_rows_are_those_of_sentence_transformers),
      cmocka_unit_test(rows_of_every_module_are_those_of_sentence_transformers),
      cmocka_unit_test(bf16_rows_are_near_those_of_sentence_transformers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
