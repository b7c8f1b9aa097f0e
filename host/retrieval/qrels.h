/* Relevance judgements: which passages answer which query.
 *
 * Three forms are read, plain or compressed:
 * - BEIR's qrels/<split>.tsv: query-id, corpus-id, score. A header line is optional; its last column may also
 *   be called relevance, label, grade and so on.
 * - TREC's: query, iteration, document, grade.
 * - JSON lines: {"query-id": …, "corpus-id": …, "score": …}.
 *
 * In the first two forms tabs separate the fields if the first line holds a tab (ids may then contain
 * spaces); else white space does. BEIR fields between tabs may be quoted as in CSV. Grades are whole numbers,
 * written as 1, 1.0 or 1e0. A passage is relevant if its grade is above 0; a lower grade is the same as no
 * judgement. */
#pragma once

#include <stdint.h>

#include "host/retrieval/hit.h"
#include "host/retrieval/id_map.h"
#include "io/error.h"
#include "io/set_digest.h"

struct judgement {
  int64_t row; /* the passage's */
  int32_t grade;
};

#define QRELS_WARNINGS_MAX 4

struct qrels {
  int64_t queries;              /* rows in the map of queries */
  int64_t *first;               /* [queries + 1] index of a query's first judgement */
  struct judgement *judgements; /* by query, then by row */
  int64_t *relevant;            /* [queries] judgements with a grade above 0 */
  int64_t judged;               /* queries with a relevant passage: only they count in the metrics */
  int64_t lines;                /* judgements read */
  struct set_digest digest;     /* of query, passage and grade of every judged pair of a known query */

  /* Sentences for the user about skipped or odd lines, with a count and the first place. */
  int warning_count;
  char warning[QRELS_WARNINGS_MAX][SENTENCE_BYTES];
};

/* Reads a file. Odd input:
 * - A passage that is not in the corpus keeps its judgement, with a row past the corpus' end. So if it is
 *   relevant, it counts as never found (as in sentence-transformers and trec_eval). A warning.
 * - A query that is not among the queries is skipped. A warning.
 * - If a pair is judged twice, the last grade counts. A warning.
 * - A query without a relevant passage is left out of the metrics (as in sentence-transformers). A warning.
 * - ERROR_INPUT if a line is malformed, if the file has no judgement, if no passage is known, or if no query
 *   has a relevant passage.
 *
 * On failure nothing needs to be freed. */
bool qrels_read(const char *path, const struct id_map *queries, const struct id_map *passages,
                struct qrels *qrels, struct error *error);

void qrels_free(struct qrels *qrels);

/* The grade of a passage for a query; 0 if it was not judged. */
int32_t qrels_grade(const struct qrels *qrels, int64_t query, int64_t row);

/* Sets relevant[i] to true if hits[i] is relevant to the query: the input of metrics_query. */
void qrels_judge(const struct qrels *qrels, int64_t query, const struct hit *hits, int32_t count,
                 bool *relevant);
