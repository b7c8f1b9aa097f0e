/* The job `search`: exact search (host/retrieval/top_k.h) in the stored vectors of a run. */
#pragma once

#include "host/job/passage.h"
#include "host/job/question.h"
#include "host/job/rescore.h"

struct search_options {
  struct question_options question; /* device, card and threads also apply to the scan */
  const char *vectors;              /* the run's OUT */
  int32_t width;   /* 0: the run's widest; a width that is not stored derives from the widest */
  int32_t rescore; /* 0: no; else the best RESCORE_ROWS · top_k rows are ordered by this wider width */
  const char *const *where; /* [where_count] conditions, all of which must hold (io/field_condition.h) */
  int32_t where_count;
  int32_t top_k;  /* 0: SEARCH_TOP_K */
  bool rows;      /* of documents cut into chunks: rank the chunks, not the documents by their best one */
  bool slow_text; /* as in passage_reader_open */
};

#define SEARCH_TOP_K 5

struct search;

/* Runs on rank 0, while the other ranks are in search_follow. search_close releases the other ranks; so does
 * a failure to open. `ranks` must outlive the search. */
struct search *search_open(struct ranks *ranks, const struct search_options *options, struct error *error);
void search_close(struct search *search);

/* Runs on the other ranks: scans with rank 0 until rank 0 closes the search. */
void search_follow(struct ranks *ranks, const struct search_options *options);

/* A description of a search. */
struct search_info {
  int64_t passages; /* documents, or rows */
  int64_t matching; /* passages that --where lets a question find; 0: no question finds any */
  bool filtered;    /* there are conditions */
  int32_t width;    /* width of the scan */
  int32_t rescore;  /* width of the cosines, if it is wider; otherwise 0 */
  bool complete;    /* false: the run has not embedded all of its input */
  int32_t tokens;   /* that the model reads of a prompt and its question */
  const char *prompt, *encoder;
  const char *warning; /* a sentence, or "" */
};
void search_describe(const struct search *search, struct search_info *info);

/* What a search has cost so far; bytes are compressed bytes of vector files. */
struct search_stats {
  int64_t questions;
  int64_t scan_bytes, rescore_bytes;
  double scan_seconds, rescore_seconds;
};
const struct search_stats *search_spent(const struct search *search);

/* One answer. `passage` is valid during the call. `rank` counts from 1. */
struct search_answer {
  int64_t question;
  bool truncated; /* the question has more tokens than the model reads: its end was not read */
  int32_t rank;
  float cosine;
  const struct passage *passage;
};

/* Receives the answers question by question, best answer first. If the function returns false, the search
 * ends without an error. */
typedef bool search_fn(void *context, const struct search_answer *answer);

/* Asks all questions (UTF-8) in one scan; documents cut into chunks may take more. Passages with equal cosine
 * keep the input's order. */
bool search_ask(struct search *search, const char *const *question, int64_t count, search_fn *take,
                void *context, struct error *error);
