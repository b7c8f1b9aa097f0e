/* The second step of a search in two steps: the best rows of a narrow scan are scored again at a wider width,
 * whose rows are read one by one. */
#pragma once

#include "host/job/stored_run.h"
#include "host/retrieval/row_filter.h"
#include "host/retrieval/top_k.h"

/* Rows that the narrow scan hands on, for each row that is asked for. */
#define RESCORE_ROWS 10

/* Scores the hits of `narrow` (at its first width) again. With a filter, hits are numbers of its matching
 * rows. The new lists, options->k long, hold exact scores at options->widths[0], in top-k's order;
 * options->query_rows[0] are the questions at that width. Each row is read once, whatever the number of
 * questions that it is near to. The caller frees the lists with top_k_close. *bytes_read: compressed bytes.
 * NULL on an error. Memory: 24 bytes a hit. */
struct top_k *rescore(const struct stored_run *run, const struct top_k *narrow, int32_t narrow_k,
                      const struct row_filter *filter, const struct top_k_options *options,
                      int64_t *bytes_read, struct error *error);
