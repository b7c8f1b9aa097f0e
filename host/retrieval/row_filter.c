#include "host/retrieval/row_filter.h"

#include <stdlib.h>

bool row_filter_init(struct row_filter *filter, int64_t rows, struct error *error) {
  const int64_t words = rows / ROW_FILTER_WORD + 1;
  *filter = (struct row_filter){.rows = rows, .words = words};
  filter->bits = calloc((size_t)words, sizeof *filter->bits);
  filter->before = calloc((size_t)(words / ROW_FILTER_STRETCH + 1), sizeof *filter->before);
  if (filter->bits && filter->before) return true;
  row_filter_free(filter);
  return error_set_memory(error, (size_t)words * sizeof *filter->bits, "the rows that match");
}

void row_filter_free(struct row_filter *filter) {
  free(filter->bits);
  free(filter->before);
  *filter = (struct row_filter){0};
}

void row_filter_add(struct row_filter *filter, int64_t row) {
  filter->bits[row / ROW_FILTER_WORD] |= UINT64_C(1) << (row % ROW_FILTER_WORD);
}

void row_filter_count(struct row_filter *filter) {
  filter->matching = 0;
  for (int64_t w = 0; w < filter->words; w++) {
    if (w % ROW_FILTER_STRETCH == 0) filter->before[w / ROW_FILTER_STRETCH] = filter->matching;
    filter->matching += __builtin_popcountll(filter->bits[w]);
  }
}

int64_t row_filter_before(const struct row_filter *filter, int64_t row) {
  const int64_t word = row / ROW_FILTER_WORD;
  int64_t count = filter->before[word / ROW_FILTER_STRETCH];
  for (int64_t w = word / ROW_FILTER_STRETCH * ROW_FILTER_STRETCH; w < word; w++)
    count += __builtin_popcountll(filter->bits[w]);
  return count + __builtin_popcountll(filter->bits[word] & ((UINT64_C(1) << (row % ROW_FILTER_WORD)) - 1));
}

int64_t row_filter_row(const struct row_filter *filter, int64_t number) {
  int64_t low = 0, high = (filter->words - 1) / ROW_FILTER_STRETCH; /* the stretch is low … high */
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (filter->before[middle] <= number)
      low = middle;
    else
      high = middle - 1;
  }
  int64_t rest = number - filter->before[low], word = low * ROW_FILTER_STRETCH;
  while (rest >= __builtin_popcountll(filter->bits[word])) rest -= __builtin_popcountll(filter->bits[word++]);
  uint64_t bits = filter->bits[word];
  for (; rest > 0; rest--) bits &= bits - 1;
  return word * ROW_FILTER_WORD + __builtin_ctzll(bits);
}
