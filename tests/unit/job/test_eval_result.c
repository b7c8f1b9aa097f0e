#include "host/job/eval_result.h"
#include "io/file.h"
#include "tests/unit/io/scratch.h"

#define QUERIES 3

/* Numbers that a short decimal would change, and small numbers that YAML may read as words. */
static const double awkward[] = {1.0 / 3, 0.1, 1.0, 0.0, 5e-05, 0.30000000000000004};
#define AWKWARD (sizeof awkward / sizeof *awkward)

static void result_make(struct eval_result *result) {
  static const int32_t widths[] = {64, 8};
  *result = (struct eval_result){.dataset = strdup("a \"set\""),
                                 .split = strdup("test"),
                                 .model.name = "m: \"õ\"",
                                 .query_prompt = strdup("query: "),
                                 .passage_prompt = strdup(""),
                                 .query_tokens = 64,
                                 .passage_tokens = INT32_MAX,
                                 .judgements = "0123456789abcdef0123456789abcdef",
                                 .passage_rows = "fedcba9876543210fedcba9876543210",
                                 .passages = 5,
                                 .queries = 4,
                                 .chunks = {INT32_MAX, 3},
                                 .rows = INT64_C(1) << 40,
                                 .judged = QUERIES,
                                 .query_id = calloc(QUERIES, sizeof *result->query_id),
                                 .width_count = 2};
  metric_set_default(&result->metrics);
  for (int64_t q = 0; q < QUERIES; q++) assert_true(asprintf(&result->query_id[q], "q\n%d", (int)q) > 0);
  for (int32_t w = 0; w < 2; w++) {
    const size_t values = (size_t)(QUERIES * result->metrics.count);
    struct eval_width *width = &result->width[w];
    width->width = widths[w];
    width->values = calloc(values, sizeof *width->values);
    for (size_t i = 0; i < values; i++) width->values[i] = awkward[(i + (size_t)w) % AWKWARD];
    for (int32_t m = 0; m < result->metrics.count; m++) width->mean[m] = awkward[(size_t)(m + w) % AWKWARD];
  }
}

static void metrics_survive_their_file_to_the_last_bit(void **state) {
  struct eval_result written, read;
  struct error error;
  char path[512];
  scratch_path(path, *state, "metrics.json");
  result_make(&written);
  assert_ok(eval_result_write(&written, path, &error), &error);
  assert_ok(eval_result_read(path, &read, &error), &error);
  assert_string_equal(read.dataset, written.dataset);
  assert_string_equal(read.model.name, written.model.name);
  assert_string_equal(read.query_prompt, written.query_prompt);
  assert_int_equal(read.query_tokens, 64);
  assert_int_equal(read.passage_tokens, INT32_MAX);
  assert_string_equal(read.judgements, written.judgements);
  assert_string_equal(read.query_rows, "");
  assert_string_equal(read.passage_rows, written.passage_rows);
  assert_int_equal(read.passages, written.passages);
  assert_int_equal(read.judged, QUERIES);
  assert_int_equal(read.chunks.tokens, INT32_MAX);
  assert_int_equal(read.chunks.overlap, 3);
  assert_int_equal(read.rows, written.rows);
  assert_int_equal(read.width_count, 2);
  assert_memory_equal(&read.metrics, &written.metrics, sizeof read.metrics);
  for (int64_t q = 0; q < QUERIES; q++) assert_string_equal(read.query_id[q], written.query_id[q]);
  for (int32_t w = 0; w < 2; w++) {
    const size_t metrics = (size_t)read.metrics.count;
    assert_int_equal(read.width[w].width, written.width[w].width);
    assert_memory_equal(read.width[w].mean, written.width[w].mean, metrics * sizeof(double));
    assert_memory_equal(read.width[w].values, written.width[w].values, QUERIES * metrics * sizeof(double));
  }
  eval_result_free(&read);
  eval_result_free(&written);
}

static void card_has_its_numbers_as_yaml_reads_them(void **state) {
  struct eval_result result;
  struct error error;
  char path[512], *text;
  size_t size;
  scratch_path(path, *state, "model-index.yml");
  result_make(&result);
  assert_ok(eval_result_write_card(&result, path, &error), &error);
  assert_ok(file_read(path, 1 << 20, &text, &size, &error), &error);
  assert_non_null(strstr(text, "- name: \"m: \\\"õ\\\"\"\n"));
  assert_non_null(strstr(text, "cosine_accuracy@1\n      value: 0.333333333333333"));
  assert_non_null(strstr(text, "cosine_accuracy@5\n      value: 1.0\n      name: Cosine Accuracy@5\n"));
  assert_non_null(strstr(text, "cosine_accuracy@10\n      value: 0.0\n"));
  assert_non_null(strstr(text, "cosine_precision@1\n      value: 5.0e-05\n"));
  assert_null(strstr(text, "value: 5e-05"));
  free(text);
  eval_result_free(&result);
}

#define HEAD "{\"format\":1,\"queries\":{\"ids\":[\"a\",\"b\"],\"dim_8\":{\"cosine_mrr@10\":[1,0]}}"

static void other_files_are_refused_with_a_reason(void **state) {
  static const char *const cases[][2] = {
      {"{", "not a metrics.json"},
      {"[]", "its format is not 1"},
      {"{\"format\":1}", "names no queries"},
      {"{\"format\":1,\"chunks\":{\"tokens\":2147483648}}", "not a count"},
      {"{\"format\":1,\"chunks\":{\"tokens\":8,\"overlap\":4294967300}}", "not a count"},
      {"{\"format\":1,\"chunks\":{\"tokens\":8,\"rows\":-1}}", "not a count"},
      {"{\"format\":1,\"chunks\":{\"tokens\":\"8\"}}", "not a count"},
      {"{\"format\":1,\"max_tokens\":{\"query\":-1}}", "a member of max_tokens is not a count"},
      {"{\"format\":1,\"hashes\":{\"queries\":\"0123\"}}", "a member of hashes is not 32"},
      {"{\"format\":1,\"hashes\":{\"queries\":\"0123456789abcdef0123456789abcdef0\"}}", "not 32"},
      {"{\"format\":1,\"hashes\":{\"judgements\":12}}", "a member of hashes is not 32"},
      {"{\"format\":1,\"queries\":{\"ids\":[1]}}", "not a string"},
      {HEAD "}", "it has no metrics"},
      {HEAD ",\"metrics\":{\"dim_x\":{}}}", "not dim_<width>"},
      {HEAD ",\"metrics\":{\"dim_8x\":{}}}", "not dim_<width>"},
      {HEAD ",\"metrics\":{\"width\":{}}}", "not dim_<width>"},
      {HEAD ",\"metrics\":{\"dim_8\":{\"mrr@10\":1}}}", "unknown name"},
      {HEAD ",\"metrics\":{\"dim_8\":{\"cosine_best@10\":1}}}", "best"},
      {HEAD ",\"metrics\":{\"dim_8\":{\"cosine_mrr@10\":\"1\"}}}", "lacks a metric's mean"},
      {HEAD ",\"metrics\":{\"dim_8\":{\"cosine_mrr@5\":1}}}", "for every query"},
      {HEAD ",\"metrics\":{\"dim_8\":{\"cosine_mrr@10\":1},\"dim_08\":{\"cosine_mrr@10\":1}}}",
       "one width twice"},
      {HEAD ",\"metrics\":{\"dim_4\":{\"cosine_mrr@10\":1}}}", "for every query"},
      {"{\"format\":1,\"queries\":{\"ids\":[\"a\"],\"dim_8\":{\"cosine_mrr@10\":[\"1\"]}},"
       "\"metrics\":{\"dim_8\":{\"cosine_mrr@10\":1}}}",
       "not a number"},
  };
  char path[512];
  scratch_path(path, *state, "metrics.json");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct eval_result result;
    struct error error = {0};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(cases[i][0], file);
    fclose(file);
    if (eval_result_read(path, &result, &error)) fail_msg("%s was read", cases[i][0]);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_says(&error, "metrics.json");
    assert_says(&error, cases[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(metrics_survive_their_file_to_the_last_bit, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(card_has_its_numbers_as_yaml_reads_them, scratch_make, scratch_remove),
      cmocka_unit_test_setup_teardown(other_files_are_refused_with_a_reason, scratch_make, scratch_remove),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
