/* An evaluation set in the form of BEIR (Thakur et al. 2021, arXiv:2104.08663):
 *
 *     DATA/corpus.jsonl       {"_id", "title", "text"} per passage
 *     DATA/queries.jsonl      {"_id", "text"} per query
 *     DATA/qrels/SPLIT.tsv    query-id, corpus-id, score; or SPLIT.jsonl, as newer sets have it
 *
 * All of them may end in .gz or .zst as well. */
#pragma once

#include "io/error.h"

#define EVAL_SPLIT "test" /* the default */
#define EVAL_ID_FIELD "_id"
#define EVAL_TEXT_FIELD "text"
#define EVAL_TITLE_FIELD "title"

struct eval_set {
  char *name; /* last component of the folder's path */
  char *corpus, *queries, *qrels;
};

/* Finds the files. The corpus and the queries may be missing where `judgements_only`: they are then NULL.
 * ERROR_USAGE names the file that is missing. On failure nothing needs to be freed. */
bool eval_set_open(const char *data, const char *split, bool judgements_only, struct eval_set *set,
                   struct error *error);
void eval_set_free(struct eval_set *set);

/* Reads the ids and the judgements, to fail on them before hours of embedding: ERROR_INPUT for an id that
 * stands twice (with both lines), for a file without a document, and for what qrels_read refuses. Other lines
 * that are no documents are left to the embedding, which reports them. */
bool eval_set_check(const struct eval_set *set, struct error *error);
