#include "host/retrieval/compare.h"
#include "tests/unit/retrieval/near.h"

#define QUERIES 400

static struct interval compared(const double *before, const double *after, int64_t queries,
                                const struct compare_options *options) {
  struct interval interval;
  struct error error;
  assert_ok(compare_paired(before, after, queries, 1, options, &interval, &error), &error);
  return interval;
}

static void equal_runs_do_not_differ(void **state) {
  (void)state;
  const struct compare_options options = compare_defaults();
  const double values[] = {0, 0.5, 1, 0.25};
  const struct interval interval = compared(values, values, 4, &options);
  assert_true(interval.difference == 0 && interval.low == 0 && interval.high == 0);
}

/* If every query gains the same, it makes no difference which queries are drawn, even if their values differ
 * widely: pairing exists for this case. */
static void equal_gains_leave_no_doubt(void **state) {
  (void)state;
  const struct compare_options options = compare_defaults();
  double before[64], after[64];
  for (int q = 0; q < 64; q++) {
    before[q] = q % 8 / 8.0;
    after[q] = before[q] + 0.125;
  }
  const struct interval interval = compared(before, after, 64, &options);
  assert_true(interval.difference == 0.125 && interval.low == 0.125 && interval.high == 0.125);
}

/* Two queries have the differences 0 and 1. A resample then has the mean 0, 1/2 or 1, with the probabilities
 * 1/4, 1/2 and 1/4. */
static void percentiles_are_those_of_the_resamples(void **state) {
  (void)state;
  struct compare_options options = compare_defaults();
  const double before[] = {0, 0}, after[] = {0, 1};
  struct interval interval = compared(before, after, 2, &options);
  assert_true(interval.difference == 0.5 && interval.low == 0 && interval.high == 1);
  options.level = 0.4; /* from the 30th to the 70th percentile */
  interval = compared(before, after, 2, &options);
  assert_true(interval.low == 0.5 && interval.high == 0.5);
  /* Two resamples: the percentiles lie between them, on a straight line. */
  options = (struct compare_options){2, 3, 0.5};
  double wide[QUERIES] = {0}, step[QUERIES];
  for (int q = 0; q < QUERIES; q++) step[q] = q;
  interval = compared(wide, step, QUERIES, &options);
  options.level = 1 - 1e-12;
  const struct interval ends = compared(wide, step, QUERIES, &options);
  assert_true(ends.high > ends.low);
  assert_near(interval.low, ends.low + (ends.high - ends.low) / 4, 1e-6);
  assert_near(interval.high, ends.low + (ends.high - ends.low) * 3 / 4, 1e-6);
}

/* With many queries the interval is the normal one: mean ± 1.96 standard deviations of the mean. */
static void interval_is_as_wide_as_theory_says(void **state) {
  (void)state;
  const struct compare_options options = compare_defaults();
  double before[QUERIES] = {0}, after[QUERIES], sum = 0, squares = 0;
  for (int q = 0; q < QUERIES; q++) {
    after[q] = (q * 37 % 101 - 40) / 100.0;
    sum += after[q];
    squares += after[q] * after[q];
  }
  const double mean = sum / QUERIES, error = sqrt((squares / QUERIES - mean * mean) / QUERIES);
  const struct interval interval = compared(before, after, QUERIES, &options);
  assert_near(interval.difference, mean, 1e-12);
  assert_near(interval.low, mean - 1.96 * error, 0.1 * error);
  assert_near(interval.high, mean + 1.96 * error, 0.1 * error);
}

static void seed_decides_the_draws(void **state) {
  (void)state;
  struct compare_options options = compare_defaults();
  double before[QUERIES] = {0}, after[QUERIES];
  for (int q = 0; q < QUERIES; q++) after[q] = q * 13 % 29 / 29.0;
  const struct interval first = compared(before, after, QUERIES, &options);
  const struct interval again = compared(before, after, QUERIES, &options);
  options.seed++;
  const struct interval other = compared(before, after, QUERIES, &options);
  assert_true(first.low == again.low && first.high == again.high);
  assert_true(first.low != other.low || first.high != other.high);
}

/* All metrics use the same draws: a column's interval does not depend on the columns beside it. */
static void metrics_share_the_draws(void **state) {
  (void)state;
  const struct compare_options options = compare_defaults();
  double before[QUERIES * 2] = {0}, after[QUERIES * 2], alone_before[QUERIES] = {0}, alone[QUERIES];
  struct interval both[2];
  struct error error;
  for (int q = 0; q < QUERIES; q++) {
    alone[q] = q * 17 % 23 / 23.0;
    after[2 * q] = -alone[q];
    after[2 * q + 1] = alone[q];
  }
  assert_ok(compare_paired(before, after, QUERIES, 2, &options, both, &error), &error);
  const struct interval one = compared(alone_before, alone, QUERIES, &options);
  assert_true(both[1].low == one.low && both[1].high == one.high);
  assert_near(both[0].low, -one.high, 1e-12);
}

static void nothing_to_compare_is_refused(void **state) {
  (void)state;
  struct compare_options options = compare_defaults();
  struct interval interval;
  struct error error;
  const double value = 1;
  assert_false(compare_paired(&value, &value, 0, 1, &options, &interval, &error));
  options.resamples = 1;
  assert_false(compare_paired(&value, &value, 1, 1, &options, &interval, &error));
  options = compare_defaults();
  options.level = 1;
  assert_false(compare_paired(&value, &value, 1, 1, &options, &interval, &error));
  assert_int_equal(error.code, ERROR_USAGE);
}

/* Eight queries gain a step and two lose one: the interval ends at 0. Steps of an eighth are exact in binary,
 * and sums of tenths are not; both must say the same. */
static void rounding_does_not_move_a_bound_from_zero(void **state) {
  (void)state;
  const struct compare_options options = compare_defaults();
  for (int sign = 0; sign < 2; sign++)
    for (int scale = 8; scale <= 10; scale += 2) {
      double values[2][60] = {{0}};
      for (int q = 0; q < 10; q++) {
        const int low = q < 8 ? q % 7 : q - 6, gains = q < 8;
        values[sign][q] = (double)(low + !gains) / scale;
        values[!sign][q] = (double)(low + gains) / scale;
      }
      const struct interval interval = compared(values[0], values[1], 60, &options);
      assert_true((sign ? -1 : 1) * interval.difference > 0.009);
      assert_true((sign ? interval.high : interval.low) == 0);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_runs_do_not_differ),
      cmocka_unit_test(equal_gains_leave_no_doubt),
      cmocka_unit_test(percentiles_are_those_of_the_resamples),
      cmocka_unit_test(interval_is_as_wide_as_theory_says),
      cmocka_unit_test(seed_decides_the_draws),
      cmocka_unit_test(metrics_share_the_draws),
      cmocka_unit_test(rounding_does_not_move_a_bound_from_zero),
      cmocka_unit_test(nothing_to_compare_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
