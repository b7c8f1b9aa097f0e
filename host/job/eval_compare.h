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

/* What a narrower width loses against the widest one of the same evaluation. */
struct width_loss {
  struct metric metric; /* ndcg@10, or the first if that was not asked for */
  double widest;        /* mean at the widest width */
  struct interval interval;
};

/* `w` is the place of a width in the result, past the first. */
bool eval_width_loss(const struct eval_result *result, int32_t w, struct width_loss *loss,
                     struct error *error);

/* Queries are paired by their ids. ERROR_USAGE where the two share no query, no metric or no width. */
bool eval_compare(const struct eval_result *before, const struct eval_result *after,
                  struct comparison *comparison, struct error *error);
