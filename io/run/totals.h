/* Sums over the part records of a run. */
#pragma once

#include <stdint.h>

#include "io/run/fields.h"

struct run_totals {
  int64_t parts, lines, rows, rejected, truncated, tokens, blank;
  int64_t documents;         /* of a run with chunks; otherwise 0, and each document is one row */
  int64_t titles_cut;        /* documents whose title was cut to leave room for the chunk */
  int64_t characters;        /* of the texts whose records count them (io/run/record.h) */
  int64_t embedded;          /* characters that were not cut off */
  int64_t vector_bytes;      /* decompressed */
  int64_t vector_file_bytes; /* as stored in w<width> */
  int64_t file_bytes;        /* of all files */
  int64_t incomplete;        /* shards whose last part is incomplete */
};

/* The members of the manifest's totals, in the written order. */
extern const struct field_table totals_fields;

/* The documents of these totals. */
int64_t totals_documents(const struct run_totals *totals);

/* total += sign × part, field by field. */
void totals_add(struct run_totals *total, const struct run_totals *part, int sign);

/* Calls `differs` for every total that differs. */
typedef void totals_fn(void *context, const char *key, int64_t a, int64_t b);
void totals_compare(const struct run_totals *a, const struct run_totals *b, totals_fn *differs,
                    void *context);
