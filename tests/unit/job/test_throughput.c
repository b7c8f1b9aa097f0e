/* A run's counts over its time: right sums at the end of every interval, in fixed memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/job/throughput.h"

#define MILLISECOND INT64_C(1000000)

static void sums_stand_at_the_end_of_their_interval(void **state) {
  (void)state;
  struct throughput series = {0};
  throughput_add(&series, 10 * MILLISECOND, 5, 1);
  throughput_add(&series, 400 * MILLISECOND, 7, 2);
  throughput_add(&series, 510 * MILLISECOND, 9, 3);
  throughput_add(&series, 2100 * MILLISECOND, 20, 4); /* nobody looked between 1 s and 2 s */
  static const int64_t tokens[] = {7, 9, 9, 9, 20}, rows[] = {2, 3, 3, 3, 4};
  assert_int_equal(series.interval, 500 * MILLISECOND);
  assert_int_equal(series.count, 5);
  assert_memory_equal(series.tokens, tokens, sizeof tokens);
  assert_memory_equal(series.rows, rows, sizeof rows);
}

static void long_runs_have_longer_intervals(void **state) {
  (void)state;
  struct throughput series = {0};
  for (int64_t second = 0; second <= 36000; second++)
    throughput_add(&series, second * 1000 * MILLISECOND, 1000 * second, 2 * second);
  assert_true(series.count > THROUGHPUT_MAX / 2 && series.count <= THROUGHPUT_MAX);
  const int64_t seconds = series.interval / (1000 * MILLISECOND);
  for (int32_t i = 0; i + 1 < series.count; i++) {
    assert_int_equal(series.tokens[i], 1000 * ((i + 1) * seconds - 1)); /* the last look in the interval */
    assert_int_equal(series.rows[i], 2 * ((i + 1) * seconds - 1));
  }
  assert_int_equal(series.tokens[series.count - 1], 36000000);
}

static void a_long_silence_is_no_harm(void **state) {
  (void)state;
  struct throughput series = {0};
  throughput_add(&series, 0, 3, 1);
  throughput_add(&series, INT64_C(1000000) * 1000 * MILLISECOND, 8, 2);
  assert_true(series.count <= THROUGHPUT_MAX);
  assert_int_equal(series.tokens[0], 3);
  assert_int_equal(series.tokens[series.count - 1], 8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_stand_at_the_end_of_their_interval),
      cmocka_unit_test(long_runs_have_longer_intervals),
      cmocka_unit_test(a_long_silence_is_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
