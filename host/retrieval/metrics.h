/* The retrieval metrics of sentence-transformers' InformationRetrievalEvaluator (as of version 6.2,
 * sentence_transformer/evaluation/information_retrieval.py), number for number.
 *
 * r_i is 1 if the i-th hit (from 1) is relevant, else 0. R is the number of relevant passages that the qrels
 * name for the query (found or not, in the corpus or not). Σ runs over i = 1 … min(k, hits):
 *
 *     accuracy@k   1 if any r_i is 1, else 0
 *     precision@k  Σ r_i / k                                  (k, even if there are fewer hits)
 *     recall@k     Σ r_i / R
 *     NDCG@k       Σ r_i / log2(i + 1)  over its largest value, Σ over i = 1 … min(k, R) of 1 / log2(i + 1)
 *     MRR@k        1 / i for the first relevant hit, else 0
 *     MAP@k        Σ r_i · (precision at i) / min(k, R)
 *
 * Relevance is binary: every grade above 0 is equally relevant, in NDCG too. If a query has no relevant
 * passage, it has no values, and the means leave it out; all other queries have the same weight. Hits with
 * equal scores stand by ascending id (struct top_k_options.order from id_map_order).
 *
 * How trec_eval (and pytrec_eval) differs:
 * - Hits with equal scores stand by descending id. host/retrieval/trec_run.h writes runs without equal
 *   scores, so trec_eval sees our order.
 * - map_cut.k divides by R, not by min(k, R): equal if R ≤ k.
 * - recip_rank has no cut-off: equal to MRR@k if the first relevant hit is among the first k.
 * - ndcg_cut.k takes a grade as its gain: equal if all grades are 1.
 * - A query without relevant passages counts as 0. A query without hits is left out of the means, unless -c
 *   is given.
 *
 * success.k, P.k and recall.k are accuracy@k, precision@k and recall@k. scripts/check-metrics shows all this
 * on random scores. */
#pragma once

#include <stdint.h>

#include "io/error.h"

enum metric_kind {
  METRIC_ACCURACY,
  METRIC_PRECISION,
  METRIC_RECALL,
  METRIC_NDCG,
  METRIC_MRR,
  METRIC_MAP,
};

struct metric {
  enum metric_kind kind;
  int32_t k;
};

#define METRICS_MAX 64
#define METRIC_NAME_MAX 32

struct metric_set {
  int32_t count;
  struct metric metric[METRICS_MAX];
};

/* The evaluator's 15 metrics, in its order: accuracy, precision and recall at 1, 3, 5, 10; NDCG@10, MRR@10,
 * MAP@100. */
void metric_set_default(struct metric_set *set);

/* Reads a list such as "ndcg@10,mrr@10,recall@1,recall@100", and keeps its order. The kinds are accuracy,
 * precision, recall, ndcg, mrr and map; k is 1 to 100,000. ERROR_USAGE for anything else, or for a name given
 * twice. */
bool metric_set_parse(const char *text, struct metric_set *set, struct error *error);

/* The largest k: the metrics look at so many hits per query. */
int32_t metric_set_depth(const struct metric_set *set);

/* Writes a name like "ndcg@10": the evaluator's name without its prefix "cosine_". */
void metric_name(struct metric metric, char name[METRIC_NAME_MAX]);

/* Fills values [set->count] for one query from relevant [hits], best hit first, and total ≥ 1, the R
 * above. */
void metrics_query(const struct metric_set *set, const bool *relevant, int32_t hits, int64_t total,
                   double *values);

/* Fills mean [set->count] from values [queries, set->count]; queries ≥ 1. */
void metrics_mean(const struct metric_set *set, const double *values, int64_t queries, double *mean);
