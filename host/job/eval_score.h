/* The scoring half of an evaluation: stored vectors in, metrics and runs out. */
#pragma once

#include "host/job/document_search.h"
#include "host/job/embed.h"
#include "host/job/eval_result.h"
#include "host/job/scan.h"
#include "host/job/stored_run.h"
#include "host/ranks/ranks.h"
#include "host/retrieval/qrels.h"

struct eval_vectors {
  const char *folder; /* as given to eval_vectors_open */
  struct stored_run corpus, queries;
  struct id_map *passage_ids, *query_ids; /* by document */
  struct document_rows passages;          /* if they are cut into chunks */
  int64_t spaced_ids;                     /* ids with white space, which run.wW.trec cannot hold */
  struct qrels qrels;
};

/* How the passages are searched. */
struct eval_scan {
  struct scan_means means;
  bool on_card;        /* search on cards, one for each rank */
  bool may_do_without; /* if a card fails, search again on the CPUs and give a notice; false: a failed card is
                          an error */
  const struct embed_callbacks *callbacks;
};

/* Opens corpus/ and queries/ in the folder `vectors` and reads the judgements. The caller keeps the string
 * `vectors`, and must call eval_vectors_close, also after a failure. */
bool eval_vectors_open(const char *vectors, const char *qrels, struct eval_vectors *set, struct error *error);
void eval_vectors_close(struct eval_vectors *set);

/* Runs on rank 0, which leads the other ranks in the search (host/job/scan.h). The result's metrics and
 * widths must be set. Fills width[].mean, width[].values, query_id and judged, removes what an earlier
 * evaluation left in OUT, and writes OUT/run.wW.trec, with the same bytes on any device. */
bool eval_score(struct ranks *ranks, struct eval_vectors *set, const char *out, const struct eval_scan *scan,
                struct eval_result *result, struct error *error);
