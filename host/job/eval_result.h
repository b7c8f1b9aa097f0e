/* What an evaluation found, and its form as a file.
 *
 * metrics.json:
 *
 *     {"format": 1, "nina": …, "dataset": {"name", "split", "passages", "queries", "judged"},
 *      "model": …, "prompts": {"query", "passage"}, "compute_class": …,
 *      "bytes_per_vector": {"dim_384": 768, …},
 *      "metrics": {"dim_384": {"cosine_accuracy@1": 0.89, …}, …},
 *      "queries": {"ids": ["q1", …], "dim_384": {"cosine_accuracy@1": [1, …], …}, …}}
 *
 * "judged" queries are those with a relevant passage: only they have values, and stand in "queries", in the
 * order of queries.jsonl. Numbers are written so that they read back as the same double. */
#pragma once

#include "host/model/encoder.h"
#include "host/retrieval/metrics.h"
#include "io/run/compute_class.h"
#include "io/run/model_identity.h"

#define METRIC_PREFIX "cosine_" /* sentence-transformers' name of the score function */

struct eval_width {
  int32_t width;
  double mean[METRICS_MAX];
  double *values; /* [judged, metrics.count] */
};

/* Strings are owned. */
struct eval_result {
  char *dataset, *split; /* names */
  char *query_prompt, *passage_prompt;
  struct model_identity model;    /* of the passages' manifest, and so are the classes; without members */
  struct compute_classes compute; /* or classes if a file does not say */
  int64_t passages, queries, judged;
  char **query_id; /* [judged] */
  struct metric_set metrics;
  int32_t width_count;
  struct eval_width width[WIDTHS_MAX]; /* widest first */
};

void eval_result_free(struct eval_result *result);

/* The place of a width or a metric in a result, or -1. */
int32_t eval_result_width(const struct eval_result *result, int32_t width);
int32_t eval_result_metric(const struct eval_result *result, struct metric metric);

/* Writes metrics.json. */
bool eval_result_write(const struct eval_result *result, const char *path, struct error *error);

/* Reads such a file. ERROR_USAGE where it is not there. Every size is checked. On failure nothing needs to be
 * freed. */
bool eval_result_read(const char *path, struct eval_result *result, struct error *error);

/* Writes model-index.yml: what a model card on the Hugging Face hub carries in its front matter, as
 * sentence-transformers writes it (task information-retrieval, a dataset dim_W for each width). */
bool eval_result_write_card(const struct eval_result *result, const char *path, struct error *error);
