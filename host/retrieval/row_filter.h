/* The rows of a corpus that a search may find: one bit a row.
 *
 * A search among them numbers the matching rows 0, 1, … in row order, so the rows that it sees are
 * consecutive, and equal scores keep the rows' order. row_filter_row maps a number back to its row. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define ROW_FILTER_WORD 64 /* rows to a word of bits */

struct row_filter {
  int64_t rows, words;
  uint64_t *bits;  /* [words] bit r % 64 of word r / 64: row r matches */
  int64_t *before; /* [words / ROW_FILTER_STRETCH + 1] matching rows before each stretch of words */
  int64_t matching;
};

#define ROW_FILTER_STRETCH 64 /* words */

/* No row matches at first. A zeroed struct can be freed. */
bool row_filter_init(struct row_filter *filter, int64_t rows, struct error *error);
void row_filter_free(struct row_filter *filter);

void row_filter_add(struct row_filter *filter, int64_t row);

/* Counts the rows; call once all are added, before the functions below. */
void row_filter_count(struct row_filter *filter);

static inline bool row_filter_has(const struct row_filter *filter, int64_t row) {
  return filter->bits[row / ROW_FILTER_WORD] >> (row % ROW_FILTER_WORD) & 1;
}

/* Number of matching rows before `row`, 0 … rows. */
int64_t row_filter_before(const struct row_filter *filter, int64_t row);

/* The row of matching row `number`, 0 … matching - 1. */
int64_t row_filter_row(const struct row_filter *filter, int64_t number);
