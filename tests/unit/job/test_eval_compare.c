#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/job/eval_compare.h"

/* An evaluation with `queries` queries q<first> …, numbered in steps of `step` (1 or -1). Query q has the
 * value q / 100 + metric / 1000 + shift. */
static struct eval_result result_make(int first, int queries, int step, const char *metrics, int32_t width,
                                      double shift) {
  struct error error;
  struct eval_result result = {.dataset = strdup("set"), .judged = queries, .width_count = 1};
  assert_true(metric_set_parse(metrics, &result.metrics, &error));
  result.query_id = calloc((size_t)queries, sizeof *result.query_id);
  result.width[0].width = width;
  result.width[0].values = calloc((size_t)(queries * result.metrics.count), sizeof(double));
  for (int i = 0; i < queries; i++) {
    const int q = step > 0 ? first + i : first + queries - 1 - i;
    assert_true(asprintf(&result.query_id[i], "q%d", q) > 0);
    for (int32_t m = 0; m < result.metrics.count; m++)
      result.width[0].values[i * result.metrics.count + m] =
          q / 100.0 + result.metrics.metric[m].k / 1000.0 + shift;
  }
  return result;
}

static void queries_and_metrics_are_paired_by_name_whatever_their_order(void **state) {
  (void)state;
  struct comparison comparison;
  struct error error;
  struct eval_result before = result_make(0, 20, 1, "mrr@10,ndcg@10,recall@5", 64, 0);
  struct eval_result after = result_make(0, 20, -1, "recall@5,map@100,mrr@10", 64, 0);
  assert_true(eval_compare(&before, &after, &comparison, &error));
  assert_int_equal(comparison.queries, 20);
  assert_int_equal(comparison.metrics.count, 2);
  assert_int_equal(comparison.metrics.metric[0].kind, METRIC_RECALL);
  assert_int_equal(comparison.metrics.metric[1].kind, METRIC_MRR);
  for (int m = 0; m < 2; m++) {
    assert_true(comparison.width[0].interval[m].low == 0 && comparison.width[0].interval[m].high == 0);
    assert_true(comparison.width[0].before[m] > 0);
  }
  eval_result_free(&before);
  eval_result_free(&after);
}

static void means_and_intervals_are_over_the_shared_queries(void **state) {
  (void)state;
  struct comparison comparison;
  struct error error;
  struct eval_result before = result_make(0, 20, 1, "mrr@10", 64, 0);
  struct eval_result after = result_make(10, 15, 1, "mrr@10", 64, 0.25);
  assert_true(eval_compare(&before, &after, &comparison, &error));
  assert_int_equal(comparison.queries, 10);
  assert_int_equal(comparison.only_before, 10);
  assert_int_equal(comparison.only_after, 5);
  const struct compared_width *width = &comparison.width[0];
  assert_float_equal(width->before[0], 0.145 + 0.01, 1e-12);
  assert_float_equal(width->after[0], 0.145 + 0.01 + 0.25, 1e-12);
  assert_float_equal(width->interval[0].difference, 0.25, 1e-12);
  assert_float_equal(width->interval[0].low, 0.25, 1e-12);
  eval_result_free(&before);
  eval_result_free(&after);
}

static void evaluations_with_nothing_in_common_are_refused(void **state) {
  (void)state;
  static const struct {
    int first;
    const char *metrics;
    int32_t width;
    const char *sentence;
  } cases[] = {{50, "mrr@10", 64, "share no query"},
               {0, "mrr@5", 64, "share no metric"},
               {0, "mrr@10", 32, "share no width"}};
  struct eval_result before = result_make(0, 5, 1, "mrr@10", 64, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct comparison comparison;
    struct error error = {0};
    struct eval_result after = result_make(cases[i].first, 5, 1, cases[i].metrics, cases[i].width, 0);
    assert_false(eval_compare(&before, &after, &comparison, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    if (!strstr(error.message, cases[i].sentence)) fail_msg("%s", error.message);
    eval_result_free(&after);
  }
  eval_result_free(&before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(queries_and_metrics_are_paired_by_name_whatever_their_order),
      cmocka_unit_test(means_and_intervals_are_over_the_shared_queries),
      cmocka_unit_test(evaluations_with_nothing_in_common_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
