/* The files that an evaluation leaves in OUT, beside its vectors. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define EVAL_METRICS_NAME "metrics.json"
#define EVAL_CARD_NAME "model-index.yml"

#define EVAL_RUN_NAME_MAX 32

/* "run.w64.trec" */
void eval_run_name(int32_t width, char name[EVAL_RUN_NAME_MAX]);

/* The folders with its vectors; each is the output of a run. */
#define EVAL_CORPUS "corpus"
#define EVAL_QUERIES "queries"

/* For commands that read the output of one run: false, with their names, if `place` is not one, but has them.
 */
bool eval_files_check(const char *place, struct error *error);

/* Removes these files of an earlier evaluation, of whatever widths, so that none of them stands beside
 * another one's vectors or results. No error if OUT is not there. */
bool eval_files_remove(const char *out, struct error *error);

/* A results_remove_fn of OUT/corpus: also removes the vectors in OUT/queries. The queries are embedded after
 * the corpus, and old ones, with another prompt or precision, would pass for the new ones if the evaluation
 * stopped before that. */
bool eval_vectors_outdate(const char *out, struct error *error);
