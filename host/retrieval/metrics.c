#include "host/retrieval/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define K_MAX 100000 /* longer lists for every query would fill memory */

static const char *const kind_names[] = {"accuracy", "precision", "recall", "ndcg", "mrr", "map"};
#define KINDS (sizeof kind_names / sizeof kind_names[0])

void metric_set_default(struct metric_set *set) {
  static const struct metric_set evaluator = {
      15,
      {{METRIC_ACCURACY, 1},
       {METRIC_ACCURACY, 3},
       {METRIC_ACCURACY, 5},
       {METRIC_ACCURACY, 10},
       {METRIC_PRECISION, 1},
       {METRIC_PRECISION, 3},
       {METRIC_PRECISION, 5},
       {METRIC_PRECISION, 10},
       {METRIC_RECALL, 1},
       {METRIC_RECALL, 3},
       {METRIC_RECALL, 5},
       {METRIC_RECALL, 10},
       {METRIC_NDCG, 10},
       {METRIC_MRR, 10},
       {METRIC_MAP, 100}},
  };
  *set = evaluator;
}

/* Reads a metric from the front of *text, up to a comma or the end. */
static bool metric_parse(const char **text, struct metric *metric) {
  const char *at = strchr(*text, '@');
  if (!at || !isdigit((unsigned char)at[1])) return false;
  char *end;
  const long k = strtol(at + 1, &end, 10);
  if (k < 1 || k > K_MAX || (*end != ',' && *end != '\0')) return false;
  for (size_t kind = 0; kind < KINDS; kind++) {
    const size_t length = strlen(kind_names[kind]);
    if (length != (size_t)(at - *text) || memcmp(*text, kind_names[kind], length) != 0) continue;
    *metric = (struct metric){(enum metric_kind)kind, (int32_t)k};
    *text = end;
    return true;
  }
  return false;
}

static bool set_has(const struct metric_set *set, struct metric metric) {
  for (int32_t m = 0; m < set->count; m++)
    if (set->metric[m].kind == metric.kind && set->metric[m].k == metric.k) return true;
  return false;
}

bool metric_set_parse(const char *text, struct metric_set *set, struct error *error) {
  const char *rest = text;
  set->count = 0;
  for (;;) {
    struct metric metric;
    const int length = (int)strcspn(rest, ",");
    const char *const name = rest;
    if (!metric_parse(&rest, &metric))
      return error_set(error, ERROR_USAGE,
                       "\"%.*s\" is not a metric: expected a list such as ndcg@10,mrr@10,recall@100 of "
                       "accuracy, precision, recall, ndcg, mrr and map, each @ 1 to %d",
                       length < 100 ? length : 100, name, K_MAX);
    if (set_has(set, metric))
      return error_set(error, ERROR_USAGE, "the metric %.*s is asked for twice", length, name);
    if (set->count == METRICS_MAX)
      return error_set(error, ERROR_USAGE, "more than %d metrics are asked for", METRICS_MAX);
    set->metric[set->count++] = metric;
    if (*rest == '\0') return true;
    rest++;
  }
}

int32_t metric_set_depth(const struct metric_set *set) {
  int32_t depth = 0;
  for (int32_t m = 0; m < set->count; m++)
    if (set->metric[m].k > depth) depth = set->metric[m].k;
  return depth;
}

void metric_name(struct metric metric, char name[METRIC_NAME_MAX]) {
  snprintf(name, METRIC_NAME_MAX, "%s@%d", kind_names[metric.kind], metric.k);
}

static int32_t relevant_count(const bool *relevant, int32_t hits) {
  int32_t count = 0;
  for (int32_t i = 0; i < hits; i++) count += relevant[i];
  return count;
}

static double reciprocal_rank(const bool *relevant, int32_t hits) {
  for (int32_t i = 0; i < hits; i++)
    if (relevant[i]) return 1.0 / (i + 1);
  return 0;
}

static double average_precision(const bool *relevant, int32_t hits, int64_t most) {
  double sum = 0;
  int32_t found = 0;
  for (int32_t i = 0; i < hits; i++)
    if (relevant[i]) sum += (double)++found / (i + 1);
  return sum / (double)most;
}

/* Discounted gain, divided by the gain of a list whose first `most` hits are all relevant. */
static double discounted_gain(const bool *relevant, int32_t hits, int64_t most) {
  double gain = 0, ideal = 0;
  for (int32_t i = 0; i < hits; i++)
    if (relevant[i]) gain += 1 / log2(i + 2);
  for (int64_t i = 0; i < most; i++) ideal += 1 / log2((double)(i + 2));
  return gain / ideal;
}

static double metric_value(struct metric metric, const bool *relevant, int32_t hits, int64_t total) {
  const int32_t seen = hits < metric.k ? hits : metric.k;
  const int64_t most = total < metric.k ? total : metric.k; /* relevant hits that fit in k places */
  switch (metric.kind) {
    case METRIC_ACCURACY:
      return relevant_count(relevant, seen) > 0;
    case METRIC_PRECISION:
      return (double)relevant_count(relevant, seen) / metric.k;
    case METRIC_RECALL:
      return relevant_count(relevant, seen) / (double)total;
    case METRIC_NDCG:
      return discounted_gain(relevant, seen, most);
    case METRIC_MRR:
      return reciprocal_rank(relevant, seen);
    case METRIC_MAP:
      return average_precision(relevant, seen, most);
  }
  return 0;
}

void metrics_query(const struct metric_set *set, const bool *relevant, int32_t hits, int64_t total,
                   double *values) {
  for (int32_t m = 0; m < set->count; m++) values[m] = metric_value(set->metric[m], relevant, hits, total);
}

void metrics_mean(const struct metric_set *set, const double *values, int64_t queries, double *mean) {
  for (int32_t m = 0; m < set->count; m++) {
    double sum = 0;
    for (int64_t q = 0; q < queries; q++) sum += values[q * set->count + m];
    mean[m] = sum / (double)queries;
  }
}
