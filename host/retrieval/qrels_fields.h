/* The fields of one line of judgements. Private to this folder. */
#pragma once

#include <stdint.h>

#include "host/retrieval/qrels_read.h"

#define QRELS_FIELDS_MAX 5 /* one more than any form has, to see that a line has too many */

enum qrels_form {
  QRELS_UNKNOWN,
  QRELS_JSON,        /* {"query-id": …, "corpus-id": …, "score": …} */
  QRELS_BEIR,        /* query, passage, grade between tabs, as a CSV reader takes them */
  QRELS_TREC_TABS,   /* query, iteration, document, grade between tabs */
  QRELS_BEIR_SPACES, /* query, passage, grade between stretches of white space */
  QRELS_TREC,        /* query, iteration, document, grade between stretches of white space */
};

/* What a line of a form is expected to be, for a sentence. */
const char *qrels_form_expected(enum qrels_form form);

/* Takes the form from the first line. A line whose last column is called as grades are is a header, and
 * *header says so. QRELS_UNKNOWN if the line has no form. */
enum qrels_form qrels_form_find(const char *text, bool *header);

/* Fills query, passage and grade from a NUL-terminated line, which is changed in place: the quotes of a field
 * go. False if it is no judgement. */
bool qrels_fields_parse(enum qrels_form form, char *text, struct qrels_line *line);
