/* An evaluation set in BEIR form (Thakur et al. 2021, arXiv:2104.08663):
 *
 *     DATA/corpus.jsonl       {"_id", "title", "text"} per passage
 *     DATA/queries.jsonl      {"_id", "text"} per query
 *     DATA/qrels/SPLIT.tsv    query-id, corpus-id, score; newer sets have SPLIT.jsonl
 *
 * Every file may also end in .gz or .zst. */
#pragma once

#include "io/error.h"

#define EVAL_SPLIT "test" /* the default */
#define EVAL_ID_FIELD "_id"
#define EVAL_TEXT_FIELD "text"
#define EVAL_TITLE_FIELD "title"

struct eval_set {
  char *name; /* last component in the folder's path */
  char *corpus, *queries, *qrels;
};

/* Finds the files. If `judgements_only` is set, the corpus and the queries may be missing; their paths are
 * then NULL. ERROR_USAGE names the missing file. On failure the caller has nothing to free. */
bool eval_set_open(const char *data, const char *split, bool judgements_only, struct eval_set *set,
                   struct error *error);
void eval_set_free(struct eval_set *set);

/* Checks the ids and the judgements before hours of embedding. ERROR_INPUT if an id occurs twice (with both
 * lines), two ids would be one in run.wW.trec, a file has no document, or qrels_read refuses the judgements.
 * Other lines that are not documents are no error here: the embedding reports them. */
bool eval_set_check(const struct eval_set *set, struct error *error);
