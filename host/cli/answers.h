/* Prints the answers that `nina search` finds to standard output: one line per answer for people, or one JSON
 * object per question. */
#pragma once

#include "host/job/search.h"
#include "io/error.h"
#include "io/text.h"

struct answers {
  bool json;
  bool quiet;   /* no warnings */
  bool heading; /* print the question above its answers; false if a person has just typed it */
  int columns;  /* terminal's width; ANSWER_COLUMNS if it is not known */
  const char *const *question;
  int32_t width;     /* width of the scan */
  int32_t rescore;   /* width of the cosines, if it is wider; otherwise 0 */
  int32_t tokens;    /* that the model reads of a prompt and its question */
  int64_t last;      /* question printed last; -1 before the first of a scan */
  bool headed;       /* a question is printed: a blank line before the next */
  int64_t truncated; /* questions of the scan that are longer than `tokens` */
  int64_t truncated_first;
  int64_t textless; /* answers without text; the reason is told once */
  bool why_told;
  char why[SENTENCE_BYTES]; /* reason for the first answer without text */
  struct text line; /* JSON: the question's object so far; else what is shown of an id or a text. If it has
                       `failed`, no more is printed, and answers_end says so */
};

#define ANSWER_COLUMNS 160

void answers_init(struct answers *answers, const struct search_info *info, bool json, bool quiet);
void answers_free(struct answers *answers);

/* search_fn; the context is the struct answers. */
bool answers_take(void *answers, const struct search_answer *answer);

/* Prints questions 0 … count - 1 without answers: no passage matches --where. */
void answers_none(struct answers *answers, int64_t count);

/* Prints what is left to print after the last answer of a scan; a warning about questions that were cut off
 * goes to standard error. False if memory was short. */
bool answers_end(struct answers *answers, struct error *error);
