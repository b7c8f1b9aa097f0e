/* The job `search`: questions asked of the vectors that a run stored, exactly (host/retrieval/top_k.h). */
#pragma once

#include "host/job/passage.h"
#include "host/job/question.h"

struct search_options {
  struct question_options question; /* its device, card and threads are the scan's too */
  const char *vectors;              /* OUT of the run */
  int32_t width;  /* 0: the run's widest; one that is not stored is derived from the widest */
  int32_t top_k;  /* 0: SEARCH_TOP_K */
  bool slow_text; /* as passage_reader_open */
};

#define SEARCH_TOP_K 5

struct search;

/* On rank 0, which asks for all, while the other ranks are in search_follow; close lets them go, as does a
 * failure to open. They must outlive the search. */
struct search *search_open(struct ranks *ranks, const struct search_options *options, struct error *error);
void search_close(struct search *search);

/* On the other ranks: scans with rank 0 until it closes its search. */
void search_follow(struct ranks *ranks, const struct search_options *options);

/* What a search is of. */
struct search_info {
  int64_t passages;
  int32_t width;
  bool complete; /* false: the run has not embedded all of its input */
  const char *prompt, *encoder;
  const char *warning; /* a sentence, or "" */
};
void search_describe(const struct search *search, struct search_info *info);

/* One answer; `passage` is valid during the call. rank counts from 1. */
struct search_answer {
  int64_t question;
  int32_t rank;
  float cosine;
  const struct passage *passage;
};

/* Takes the answers of each question in turn, the best first; false ends the search without an error. */
typedef bool search_fn(void *context, const struct search_answer *answer);

/* Asks questions (UTF-8), all of them in one scan. Passages of equal cosine stand in the input's order. */
bool search_ask(struct search *search, const char *const *question, int64_t count, search_fn *take,
                void *context, struct error *error);
