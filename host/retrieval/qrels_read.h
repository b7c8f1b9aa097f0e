/* Reads the lines of a judgement file. Private to this folder. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct qrels_field {
  const char *bytes;
  size_t length;
};

struct qrels_line {
  int64_t number; /* line number, from 1 */
  struct qrels_field query, passage;
  int32_t grade;
};

/* Calls `take` for every judgement in the file, in order; stops if `take` returns false. The fields are valid
 * only during the call. */
typedef bool qrels_line_fn(void *context, const struct qrels_line *line, struct error *error);
bool qrels_read_lines(const char *path, qrels_line_fn *take, void *context, struct error *error);
