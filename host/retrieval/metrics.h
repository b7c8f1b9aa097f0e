/* The retrieval metrics of sentence-transformers' InformationRetrievalEvaluator (as of version 6.2,
 * sentence_transformer/evaluation/information_retrieval.py), number for number.
 *
 * With r_i = 1 where the i-th hit (from 1) is relevant and else 0, R the number of relevant passages that the
 * qrels name for the query (found or not, in the corpus or not), and Σ over i = 1 … min(k, hits):
 *
 *     accuracy@k   1 where any r_i is 1, else 0
 *     precision@k  Σ r_i / k                                  (k, also where there are fewer hits)
 *     recall@k     Σ r_i / R
 *     NDCG@k       Σ r_i / log2(i + 1)  over its largest value, Σ over i = 1 … min(k, R) of 1 / log2(i + 1)
 *     MRR@k        1 / i of the first relevant hit, else 0
 *     MAP@k        Σ r_i · (precision at i) / min(k, R)
 *
 * Relevance is binary: a grade above 0 is relevant, and its size does not count, in NDCG either. A query
 * without a relevant passage has no values and is left out of the means, which give every other query the
 * same weight. Hits of equal score stand in ascending order of their ids (struct top_k_options.order from
 * id_map_order).
 *
 * How trec_eval (and pytrec_eval) differs:
 * - hits of equal score stand in descending order of their ids; host/retrieval/trec_run.h writes runs without
 *   equal scores, so that it sees our order;
 * - map_cut.k divides by R, not by min(k, R): equal where R ≤ k;
 * - recip_rank has no cut-off: equal to MRR@k where the first relevant hit is among the first k;
 * - ndcg_cut.k takes a grade as its gain: equal where all grades are 1;
 * - a query without relevant passages counts as 0, and one without hits is left out of the means (unless
 *   -c is given).
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

/* The 15 of the evaluator, in its order: accuracy, precision and recall at 1, 3, 5, 10; NDCG@10, MRR@10,
 * MAP@100. */
void metric_set_default(struct metric_set *set);

/* Reads a list such as "ndcg@10,mrr@10,recall@1,recall@100" (accuracy, precision, recall, ndcg, mrr, map; k
 * from 1 to 100,000), in the order given. Anything else, or a name given twice, is ERROR_USAGE. */
bool metric_set_parse(const char *text, struct metric_set *set, struct error *error);

/* The largest k: how many hits per query the metrics look at. */
int32_t metric_set_depth(const struct metric_set *set);

/* "ndcg@10": the evaluator's name without its prefix "cosine_". */
void metric_name(struct metric metric, char name[METRIC_NAME_MAX]);

/* values [set->count] of one query from relevant [hits], best hit first, and total ≥ 1, the R above. */
void metrics_query(const struct metric_set *set, const bool *relevant, int32_t hits, int64_t total,
                   double *values);

/* mean [set->count] of values [queries, set->count]; queries ≥ 1. */
void metrics_mean(const struct metric_set *set, const double *values, int64_t queries, double *mean);
