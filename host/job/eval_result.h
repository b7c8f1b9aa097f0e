/* The result of an evaluation, in memory and as a file.
 *
 * metrics.json:
 *
 *     {"format": 1, "nina": …, "dataset": {"name", "split", "passages", "queries", "judged"},
 *      "model": …, "prompts": {"query", "passage"}, "max_tokens": {"query", "passage"}, "compute_class": …,
 *      "hashes": {"judgements", "queries", "passages"},
 *      "chunks": {"tokens", "overlap", "rows"},    only if passages are cut into chunks
 *      "bytes_per_vector": {"dim_384": 768, …},
 *      "metrics": {"dim_384": {"cosine_accuracy@1": 0.89, …}, …},
 *      "queries": {"ids": ["q1", …], "dim_384": {"cosine_accuracy@1": [1, …], …}, …}}
 *
 * The hashes do not depend on an order (io/set_digest.h): of judgements they are of query, passage and grade,
 * of queries and passages of each row's id and the hash of its token ids (io/run/row_hash.h). A hash that is
 * not known, as of rows whose hashes are lost or damaged, is null. Files of an older version lack
 * "max_tokens" and "hashes".
 *
 * "judged" counts the queries with a relevant passage. Only judged queries have values and are listed in
 * "queries", in the order of queries.jsonl. Every number reads back as the same double. */
#pragma once

#include "host/model/chunk.h"
#include "host/model/encoder.h"
#include "host/retrieval/metrics.h"
#include "io/run/compute_class.h"
#include "io/run/model_identity.h"
#include "io/set_digest.h"

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
  int32_t query_tokens, passage_tokens; /* at most, of the texts that are longer; 0: not known */
  char judgements[SET_DIGEST_TEXT];     /* hashes; "": not known */
  char query_rows[SET_DIGEST_TEXT], passage_rows[SET_DIGEST_TEXT];
  struct model_identity model;    /* from the passages' manifest */
  struct compute_classes compute; /* from the same manifest; no classes if a file has none */
  int64_t passages, queries, judged;
  struct chunk_limits chunks; /* of passages; none: a passage is one row */
  int64_t rows;               /* of the passages, if they are cut into chunks; otherwise 0 */
  char **query_id;            /* [judged] */
  struct metric_set metrics;
  int32_t width_count;
  struct eval_width width[WIDTHS_MAX]; /* widest first */
};

void eval_result_free(struct eval_result *result);

/* The index of a width or a metric in a result, or -1. */
int32_t eval_result_width(const struct eval_result *result, int32_t width);
int32_t eval_result_metric(const struct eval_result *result, struct metric metric);

/* Puts the widest width first. */
void eval_result_order(struct eval_result *result);

/* Writes metrics.json. */
bool eval_result_write(const struct eval_result *result, const char *path, struct error *error);

/* Reads a metrics.json, with its widths in any order, and checks every size. ERROR_USAGE if the file does not
 * exist. On failure the caller has nothing to free. */
bool eval_result_read(const char *path, struct eval_result *result, struct error *error);

/* Writes model-index.yml: front matter for a model card on the Hugging Face hub, as sentence-transformers
 * writes it (task information-retrieval, a dataset dim_W for each width). */
bool eval_result_write_card(const struct eval_result *result, const char *path, struct error *error);
