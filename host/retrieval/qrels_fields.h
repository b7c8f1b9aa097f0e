/* Splits a judgement line into its fields. Private to this folder. */
#pragma once

#include <stdint.h>

#include "host/retrieval/qrels_read.h"

#define QRELS_FIELDS_MAX 5 /* one more than any form has, to notice a line with too many */

enum qrels_form {
  QRELS_UNKNOWN,
  QRELS_JSON,        /* {"query-id": …, "corpus-id": …, "score": …} */
  QRELS_BEIR,        /* query, passage, grade; tabs between, quotes as in CSV */
  QRELS_TREC_TABS,   /* query, iteration, document, grade; tabs between */
  QRELS_BEIR_SPACES, /* query, passage, grade; white space between */
  QRELS_TREC,        /* query, iteration, document, grade; white space between */
};

/* Describes a form's lines, for an error sentence. */
const char *qrels_form_expected(enum qrels_form form);

/* Finds the form from the first line; QRELS_UNKNOWN if no form fits. If the last column has a name used for
 * grades, the line is a header, and *header is true. */
enum qrels_form qrels_form_find(const char *text, bool *header);

/* Fills query, passage and grade from a NUL-terminated line. Changes the line in place to remove quotes.
 * False if the line is no judgement. */
bool qrels_fields_parse(enum qrels_form form, char *text, struct qrels_line *line);
