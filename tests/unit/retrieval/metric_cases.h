/* Sets of scores and judgements in the format that scripts/check-metrics writes, and what nina computes from
 * them: from a score matrix over top-k and qrels to every query's metrics. The golden test uses this file,
 * and so does the program that the script runs.
 *
 * A file has one JSON object per line: "passages" and "queries" (ids), "qrels" (a qrels file's text),
 * "scores" [queries][passages] (fp32 numbers). */
#pragma once

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/model/half.h"
#include "host/retrieval/metrics.h"
#include "host/retrieval/qrels.h"
#include "host/retrieval/top_k.h"
#include "host/retrieval/trec_run.h"

struct case_result {
  struct id_map *passages, *queries;
  struct qrels qrels;
  double *values;  /* [queries, metrics]; not set if a query has no relevant passage */
  struct text run; /* in TREC form */
};

static inline void case_result_free(struct case_result *result) {
  id_map_close(result->passages);
  id_map_close(result->queries);
  qrels_free(&result->qrels);
  free(result->values);
  text_free(&result->run);
}

static inline struct id_map *case_ids(const json_t *ids, struct error *error) {
  struct id_map *map = id_map_open(error);
  size_t index;
  json_t *id;
  json_array_foreach(ids, index, id) {
    int64_t first;
    if (map && id_map_add(map, json_string_value(id), json_string_length(id), &first, error)) continue;
    id_map_close(map);
    return NULL;
  }
  return map;
}

static inline bool case_qrels(const char *text, struct case_result *result, struct error *error) {
  char path[] = "/tmp/nina-qrels-XXXXXX";
  const int descriptor = mkstemp(path);
  if (descriptor < 0) return error_set_errno(error, "cannot make %s", path);
  bool ok = write(descriptor, text, strlen(text)) == (ssize_t)strlen(text);
  close(descriptor);
  if (!ok) error_set_errno(error, "cannot write %s", path);
  ok = ok && qrels_read(path, result->queries, result->passages, &result->qrels, error);
  unlink(path);
  return ok;
}

/* The passages are the unit vectors, so a query's score with passage p is number p in the query's vector. */
static inline struct top_k *case_search(const json_t *scores, int64_t passages, int32_t k,
                                        const uint32_t *order, struct error *error) {
  const size_t queries = json_array_size(scores), width = (size_t)passages;
  float *rows = calloc(queries * width, sizeof *rows);
  uint16_t *units = calloc(width * width, sizeof *units);
  if (!rows || !units) abort();
  for (size_t q = 0; q < queries; q++)
    for (size_t p = 0; p < width; p++)
      rows[q * width + p] = (float)json_number_value(json_array_get(json_array_get(scores, q), p));
  for (size_t p = 0; p < width; p++) units[p * width + p] = half_from_float(1);
  const struct top_k_options options = {.k = k,
                                        .queries = (int64_t)queries,
                                        .threads = 2,
                                        .passage_width = (int32_t)width,
                                        .width_count = 1,
                                        .widths = {(int32_t)width},
                                        .query_rows = {rows},
                                        .order = order,
                                        .order_rows = passages};
  struct top_k *top_k = top_k_open(&options, error);
  if (top_k && !top_k_scan_rows(top_k, &(struct passages){units, 0, passages}, error)) {
    top_k_close(top_k);
    top_k = NULL;
  }
  free(rows);
  free(units);
  return top_k;
}

static inline void case_values(const struct metric_set *set, const struct top_k *top_k, int32_t k,
                               struct case_result *result) {
  struct hit *hits = calloc((size_t)k, sizeof *hits);
  bool *relevant = calloc((size_t)k, sizeof *relevant);
  result->values = calloc((size_t)result->qrels.queries * (size_t)set->count, sizeof *result->values);
  if (!hits || !relevant || !result->values) abort();
  for (int64_t q = 0; q < result->qrels.queries; q++) {
    const int32_t count = top_k_list(top_k, 0, q, hits);
    trec_run_append(&result->run, id_map_id(result->queries, q), hits, count, result->passages, "nina");
    if (result->qrels.relevant[q] == 0) continue;
    qrels_judge(&result->qrels, q, hits, count, relevant);
    metrics_query(set, relevant, count, result->qrels.relevant[q], result->values + q * set->count);
  }
  free(hits);
  free(relevant);
}

/* The caller frees *result, even after a failure. */
static inline bool case_evaluate(const json_t *set_case, const struct metric_set *set,
                                 struct case_result *result, struct error *error) {
  bool ok = false;
  struct top_k *top_k = NULL;
  uint32_t *order = NULL;
  const int32_t k = metric_set_depth(set);
  *result = (struct case_result){0};
  result->passages = case_ids(json_object_get(set_case, "passages"), error);
  result->queries = case_ids(json_object_get(set_case, "queries"), error);
  if (!result->passages || !result->queries) goto out;
  const int64_t passages = id_map_count(result->passages);
  order = calloc((size_t)passages, sizeof *order);
  if (!order) abort();
  if (!id_map_order(result->passages, order, error)) goto out;
  if (!case_qrels(json_string_value(json_object_get(set_case, "qrels")), result, error)) goto out;
  top_k = case_search(json_object_get(set_case, "scores"), passages, k, order, error);
  if (!top_k) goto out;
  case_values(set, top_k, k, result);
  ok = true;
out:
  top_k_close(top_k);
  free(order);
  return ok;
}
