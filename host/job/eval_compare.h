/* Two evaluations of the same queries, held against each other (host/retrieval/compare.h). */
#pragma once

#include "host/job/eval_result.h"
#include "host/retrieval/compare.h"

struct compared_width {
  int32_t width;
  double before[METRICS_MAX], after[METRICS_MAX]; /* means over the shared queries */
  struct interval interval[METRICS_MAX];
};

struct comparison {
  int64_t queries;                 /* that both have judged */
  int64_t only_before, only_after; /* judged in one of the two */
  struct metric_set metrics;       /* that both have */
  int32_t width_count;             /* that both have */
  struct compared_width width[WIDTHS_MAX];
  char differences[2048]; /* in what the two were made, for people: "widths: [64] before, [32] after; …" */
};

/* Queries are paired by their ids. ERROR_USAGE where the two share no query, no metric or no width. */
bool eval_compare(const struct eval_result *before, const struct eval_result *after,
                  struct comparison *comparison, struct error *error);
