/* Fuzzes the reader of metrics.json: what is read and written again is read as the same. */
#include "host/job/eval_result.h"
#include "io/file.h"
#include "tests/fuzz/harness.h"

/* Writes a result; returns the file's text, NULL if it was refused. */
static char *result_print(const struct eval_result *result, size_t *size) {
  struct error error = {0};
  char path[256], *text;
  scratch_remove("copy.json");
  snprintf(path, sizeof path, "%s/copy.json", scratch_folder());
  if (!eval_result_write(result, path, &error)) {
    require_sentence(&error);
    return NULL;
  }
  REQUIRE(file_read(path, (size_t)64 << 20, &text, size, &error));
  return text;
}

static void check_result(const struct eval_result *result) {
  REQUIRE(result->judged > 0 && result->width_count > 0 && result->width_count <= WIDTHS_MAX);
  for (int32_t w = 1; w < result->width_count; w++)
    REQUIRE(result->width[w].width < result->width[w - 1].width);
  for (int32_t m = 0; m < result->metrics.count; m++)
    REQUIRE(eval_result_metric(result, result->metrics.metric[m]) == m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct error error = {0};
  struct eval_result result, again;
  if (!eval_result_read(scratch_file("metrics.json", data, size), &result, &error)) {
    require_sentence(&error);
    return 0;
  }
  check_result(&result);
  size_t first_size, second_size;
  char *first = result_print(&result, &first_size);
  if (first) {
    REQUIRE(eval_result_read(scratch_file("metrics.json", first, first_size), &again, &error));
    check_result(&again);
    char *second = result_print(&again, &second_size);
    REQUIRE(second && first_size == second_size && memcmp(first, second, first_size) == 0);
    eval_result_free(&again);
    free(second);
  }
  free(first);
  eval_result_free(&result);
  return 0;
}
