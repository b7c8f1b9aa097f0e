/* Sums over the part records of a run. */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct run_totals {
  int64_t parts, lines, rows, rejected, truncated, tokens, blank;
  int64_t vector_bytes;      /* decompressed */
  int64_t vector_file_bytes; /* as stored in w<width> */
  int64_t file_bytes;        /* of all files */
  int64_t incomplete;        /* shards whose last part is incomplete */
};

/* total += sign × part, field by field. */
void totals_add(struct run_totals *total, const struct run_totals *part, int sign);

/* A new object, or NULL when memory is short. */
json_t *totals_to_json(const struct run_totals *totals);
