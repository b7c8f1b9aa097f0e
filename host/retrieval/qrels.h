/* Relevance judgements: which passages answer which query.
 *
 * Three forms are read, plain or compressed: BEIR's qrels/<split>.tsv (query-id, corpus-id, score, with or
 * without that header, whose last column may be called relevance, label, grade … too), TREC's (query,
 * iteration, document, grade), and JSON lines of {"query-id": …, "corpus-id": …, "score": …}. The fields of
 * the first two are separated by tabs if the first line holds one (ids may then contain spaces), else by
 * white space. Between tabs BEIR's are quoted as a CSV reader takes them. Grades are whole numbers, written
 * as 1, 1.0 or 1e0; a passage is relevant if its grade is above 0, everything else is as if it had not been
 * judged. */
#pragma once

#include <stdint.h>

#include "host/retrieval/hit.h"
#include "host/retrieval/id_map.h"
#include "io/error.h"

struct judgement {
  int64_t row; /* of the passage */
  int32_t grade;
};

#define QRELS_WARNINGS_MAX 4

struct qrels {
  int64_t queries;              /* as many as the map of queries has rows */
  int64_t *first;               /* [queries + 1] a query's judgements begin here */
  struct judgement *judgements; /* of one query by row */
  int64_t *relevant;            /* [queries] judgements with a grade above 0 */
  int64_t judged; /* queries with at least one relevant passage: those that metrics are taken over */
  int64_t lines;  /* judgements read */

  /* Sentences for the user about what was passed over, with a count and the first place. */
  int warning_count;
  char warning[QRELS_WARNINGS_MAX][512];
};

/* Reads a file. What it does with the odd:
 * - a passage that is not in the corpus stays judged, with a row past the corpus' end, so a relevant one
 *   counts as never found (as in sentence-transformers and trec_eval): a warning;
 * - a query that is not among the queries is passed over: a warning;
 * - a pair judged twice: the last grade counts: a warning;
 * - a query without a relevant passage is left out of the metrics (as in sentence-transformers): a warning;
 * - a malformed line, no judgement at all, not one known passage or not one query with a relevant passage is
 *   ERROR_INPUT.
 * On failure nothing needs to be freed. */
bool qrels_read(const char *path, const struct id_map *queries, const struct id_map *passages,
                struct qrels *qrels, struct error *error);

void qrels_free(struct qrels *qrels);

/* The grade of a passage for a query; 0 where it was not judged. */
int32_t qrels_grade(const struct qrels *qrels, int64_t query, int64_t row);

/* relevant[i] = whether hits[i] is relevant to the query: what metrics_query takes. */
void qrels_judge(const struct qrels *qrels, int64_t query, const struct hit *hits, int32_t count,
                 bool *relevant);
