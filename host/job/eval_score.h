/* The scoring half of an evaluation: stored vectors in, metrics and runs out. */
#pragma once

#include "host/job/embed.h"
#include "host/job/eval_result.h"
#include "host/job/scan.h"
#include "host/job/stored_run.h"
#include "host/ranks/ranks.h"
#include "host/retrieval/qrels.h"

struct eval_vectors {
  const char *folder; /* as it was opened */
  struct stored_run corpus, queries;
  struct id_map *passage_ids, *query_ids; /* by row */
  struct qrels qrels;
};

/* How the passages are searched. */
struct eval_scan {
  struct scan_means means;
  bool on_card;        /* by cards, one for each rank */
  bool may_do_without; /* where one of them fails all is searched anew on the CPUs, and the callbacks' notice
                          says so; otherwise that is an error, which says what to do */
  const struct embed_callbacks *callbacks;
};

/* Opens OUT/corpus and OUT/queries of `vectors`, which stays the caller's, and reads the judgements.
 * eval_vectors_close in any case. */
bool eval_vectors_open(const char *vectors, const char *qrels, struct eval_vectors *set, struct error *error);
void eval_vectors_close(struct eval_vectors *set);

/* Fills width[].mean and width[].values, query_id and judged of a result whose metrics and widths are set,
 * and writes OUT/run.wW.trec, the same whatever scans. *replaced counts ids that had white space. On rank 0,
 * which leads the others in the search (host/job/scan.h). */
bool eval_score(struct ranks *ranks, const struct eval_vectors *set, const char *out,
                const struct eval_scan *scan, struct eval_result *result, int64_t *replaced,
                struct error *error);
