/* The lines of a file of judgements. Private to this folder. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct qrels_field {
  const char *bytes;
  size_t length;
};

struct qrels_line {
  int64_t number; /* in the file, from 1 */
  struct qrels_field query, passage;
  int32_t grade;
};

/* Calls `take` for every judgement of a file, in its order; stops where that returns false. The fields are
 * valid during the call. */
typedef bool qrels_line_fn(void *context, const struct qrels_line *line, struct error *error);
bool qrels_read_lines(const char *path, qrels_line_fn *take, void *context, struct error *error);
