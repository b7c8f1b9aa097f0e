/* Compares two evaluations with the same queries (host/retrieval/compare.h). */
#pragma once

#include "host/job/eval_result.h"
#include "host/retrieval/compare.h"

struct compared_width {
  int32_t width;
  double before[METRICS_MAX], after[METRICS_MAX]; /* means over the shared queries */
  struct interval interval[METRICS_MAX];
};

struct comparison {
  int64_t queries;                 /* judged in both */
  int64_t only_before, only_after; /* judged in only one */
  struct metric_set metrics;       /* in both */
  int32_t width_count;             /* in both */
  struct compared_width width[WIDTHS_MAX];
  char differences[2048]; /* in settings, for people: "widths: [64] before, [32] after; …" */
  char unknown[128];      /* what may differ, for people: "judgements, max tokens"; "": nothing */
};

/* The loss at a narrower width, compared with the widest one in the same evaluation. */
struct width_loss {
  struct metric metric; /* ndcg@10, or the first metric if ndcg@10 was not requested */
  double widest;        /* mean at the widest width */
  struct interval interval;
};

/* `w` is the index of a width in the result, at least 1. */
bool eval_width_loss(const struct eval_result *result, int32_t w, struct width_loss *loss,
                     struct error *error);

/* Pairs queries by id. ERROR_USAGE if the two share no query, no metric or no width. */
bool eval_compare(const struct eval_result *before, const struct eval_result *after,
                  struct comparison *comparison, struct error *error);
