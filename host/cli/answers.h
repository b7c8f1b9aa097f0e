/* Answers of `nina search` on standard output: a line each for people, or a JSON object a question. */
#pragma once

#include "host/job/search.h"
#include "io/text.h"

struct answers {
  bool json;
  bool heading; /* print the question over its answers: not where a person has just typed it */
  int columns;  /* a line's room on a terminal; 0: lines of ANSWER_COLUMNS */
  const char *const *question;
  int32_t width;    /* of the vectors */
  int64_t last;     /* the question printed last; -1 before the first */
  int64_t textless; /* answers whose text could not be had, until the reason is told, once */
  bool why_told;
  char why[512]; /* that of the first of them */
  struct text line;
};

#define ANSWER_COLUMNS 160

void answers_init(struct answers *answers, bool json, int32_t width);
void answers_free(struct answers *answers);

/* search_fn; the context is the struct answers. */
bool answers_take(void *answers, const struct search_answer *answer);

/* Prints what is still open after the last answer. False where memory was short. */
bool answers_end(struct answers *answers, struct error *error);
