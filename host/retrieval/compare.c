#include "host/retrieval/compare.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/random.h"

#define VALUE_ULPS 128

struct compare_options compare_defaults(void) {
  return (struct compare_options){COMPARE_RESAMPLES, COMPARE_SEED, COMPARE_LEVEL};
}

/* A number in 0 … limit - 1, limit below 2³². All are equally likely up to 1 part in 2³² / limit. */
static int64_t random_below(uint64_t *state, int64_t limit) {
  return (int64_t)(((random_next(state) >> 32) * (uint64_t)limit) >> 32);
}

static int double_compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The quantile at `share` of the sorted values, interpolated linearly between two values. */
static double percentile(const double *sorted, int32_t count, double share) {
  const double place = share * (count - 1);
  const int32_t below = (int32_t)place;
  if (below >= count - 1) return sorted[count - 1];
  return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

/* Fills means [metrics, resamples] from difference [queries, metrics]: each resample draws `queries` queries.
 * sum [metrics] is scratch. */
static void resample(const double *difference, int64_t queries, int32_t metrics,
                     const struct compare_options *options, double *sum, double *means) {
  uint64_t state = options->seed;
  for (int32_t r = 0; r < options->resamples; r++) {
    memset(sum, 0, (size_t)metrics * sizeof *sum);
    for (int64_t q = 0; q < queries; q++) {
      const double *drawn = difference + random_below(&state, queries) * metrics;
      for (int32_t m = 0; m < metrics; m++) sum[m] += drawn[m];
    }
    for (int32_t m = 0; m < metrics; m++)
      means[m * (int64_t)options->resamples + r] = sum[m] / (double)queries;
  }
}

/* A bound is 0 if it is no further from 0 than rounding can move it, so that 0.3 - 0.2 and 0.2 - 0.1 cancel
 * out. Metrics lie between 0 and 1: a mean of n sums is off by at most n ulps, and a metric, which is a sum
 * of about a hundred terms itself, by as many as VALUE_ULPS. */
static double bound(double value, int64_t queries) {
  return fabs(value) <= (double)(queries + VALUE_ULPS) * DBL_EPSILON ? 0 : value;
}

static void intervals_fill(const double *difference, int64_t queries, int32_t metrics,
                           const struct compare_options *options, double *means, struct interval *intervals) {
  for (int32_t m = 0; m < metrics; m++) {
    double *own = means + m * (int64_t)options->resamples;
    double sum = 0;
    for (int64_t q = 0; q < queries; q++) sum += difference[q * metrics + m];
    qsort(own, (size_t)options->resamples, sizeof *own, double_compare);
    intervals[m].difference = sum / (double)queries;
    intervals[m].low = bound(percentile(own, options->resamples, (1 - options->level) / 2), queries);
    intervals[m].high = bound(percentile(own, options->resamples, (1 + options->level) / 2), queries);
  }
}

bool compare_paired(const double *before, const double *after, int64_t queries, int32_t metrics,
                    const struct compare_options *options, struct interval *intervals, struct error *error) {
  if (queries < 1 || queries > UINT32_MAX || metrics < 1)
    return error_set(error, ERROR_USAGE, "a comparison of %lld queries by %d metrics: nothing to compare",
                     (long long)queries, metrics);
  if (options->resamples < 2 || !(options->level > 0 && options->level < 1))
    return error_set(error, ERROR_USAGE,
                     "%d resamples at a confidence of %g: expected at least 2, and between 0 and 1",
                     options->resamples, options->level);
  const size_t values = (size_t)queries * (size_t)metrics;
  const size_t drawn = (size_t)options->resamples * (size_t)metrics;
  double *difference = malloc(values * sizeof *difference);
  double *means = malloc((drawn + (size_t)metrics) * sizeof *means);
  const bool ok = difference && means;
  if (ok) {
    for (size_t i = 0; i < values; i++) difference[i] = after[i] - before[i];
    resample(difference, queries, metrics, options, means + drawn, means);
    intervals_fill(difference, queries, metrics, options, means, intervals);
  } else {
    error_set_memory(error, (values + drawn) * sizeof *means, "the resamples of a comparison");
  }
  free(difference);
  free(means);
  return ok;
}
