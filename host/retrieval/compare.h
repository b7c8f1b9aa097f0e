/* Tells whether one run is better than another or only lucky. Method: the paired bootstrap of Efron and
 * Tibshirani (An Introduction to the Bootstrap, 1993, chapters 13 and 16), usual in retrieval since Sakai
 * (SIGIR 2006). Queries are drawn with replacement, and both runs are measured on the same draw.
 *
 * The interval holds the middle 95 % of the resamples' mean differences; percentiles between two resamples
 * are interpolated linearly. If the interval does not hold 0, the choice of queries does not explain the
 * difference. The draws depend only on the seed and the number of queries, so the same two runs always give
 * the same interval. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define COMPARE_RESAMPLES 10000
#define COMPARE_SEED 20220526 /* the day that Matryoshka representations were posted */
#define COMPARE_LEVEL 0.95

/* Of fewer queries no method can tell a difference from chance at this level: that n differences have one
 * sign has a chance of 2 / 2^n, which is above 0.05 up to n = 5. The interval of one query is a point. */
#define COMPARE_QUERIES_LEAST 6

struct compare_options {
  int32_t resamples; /* at least 2 */
  uint64_t seed;
  double level; /* confidence, between 0 and 1 */
};

/* Returns COMPARE_RESAMPLES, COMPARE_SEED, COMPARE_LEVEL. */
struct compare_options compare_defaults(void);

struct interval {
  double difference; /* mean over the queries: after - before */
  double low, high;  /* 0 if only rounding moves it from 0 */
};

/* Fills intervals [metrics] from before and after [queries, metrics]; row q of both is the same query. */
bool compare_paired(const double *before, const double *after, int64_t queries, int32_t metrics,
                    const struct compare_options *options, struct interval *intervals, struct error *error);
