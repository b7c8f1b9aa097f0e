/* Our metrics against the metrics that sentence-transformers computed from the same scores
 * (tests/golden/metrics, written by scripts/check-metrics). */
#include <math.h>
#include <stdio.h>

#include "tests/unit/io/scratch.h"
#include "tests/unit/retrieval/metric_cases.h"

#define CASES NINA_SOURCE_DIR "/tests/golden/metrics/cases.jsonl"
#define TOLERANCE 1e-9

static void assert_values(const struct metric_set *set, const double *ours, const json_t *theirs,
                          const char *what) {
  assert_int_equal(json_array_size(theirs), set->count);
  for (int32_t m = 0; m < set->count; m++) {
    char name[METRIC_NAME_MAX];
    const double expected = json_number_value(json_array_get(theirs, (size_t)m));
    metric_name(set->metric[m], name);
    if (!(fabs(ours[m] - expected) <= TOLERANCE))
      fail_msg("%s of %s is %.17g: expected %.17g", name, what, ours[m], expected);
  }
}

static void case_check(const json_t *golden) {
  struct metric_set set;
  struct case_result result;
  struct error error;
  metric_set_default(&set);
  assert_ok(case_evaluate(golden, &set, &result, &error), &error);
  const json_t *values = json_object_get(golden, "values");
  double *judged = calloc((size_t)result.qrels.queries * (size_t)set.count, sizeof *judged),
         mean[METRICS_MAX];
  int64_t count = 0;
  assert_non_null(judged);
  for (int64_t q = 0; q < result.qrels.queries; q++) {
    const json_t *theirs = json_array_get(values, (size_t)q);
    assert_int_equal(json_is_null(theirs), result.qrels.relevant[q] == 0);
    if (json_is_null(theirs)) continue;
    const double *ours = result.values + q * set.count;
    assert_values(&set, ours, theirs, id_map_id(result.queries, q));
    memcpy(judged + count++ * set.count, ours, (size_t)set.count * sizeof *judged);
  }
  assert_int_equal(count, result.qrels.judged);
  metrics_mean(&set, judged, count, mean);
  assert_values(&set, mean, json_object_get(golden, "means"), "the mean");
  free(judged);
  case_result_free(&result);
}

static void values_and_means_are_those_of_sentence_transformers(void **state) {
  (void)state;
  FILE *file = fopen(CASES, "r");
  json_error_t problem;
  json_t *golden;
  int cases = 0;
  assert_non_null(file);
  for (; (golden = json_loadf(file, JSON_DISABLE_EOF_CHECK, &problem)); cases++) {
    case_check(golden);
    json_decref(golden);
  }
  fclose(file);
  assert_true(cases >= 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(values_and_means_are_those_of_sentence_transformers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
