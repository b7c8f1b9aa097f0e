/* Exact top-k by dot product: for every query, the k passages of the highest scores, at several Matryoshka
 * widths in one pass over the stored vectors.
 *
 * Scores. The score of a pair at width w is Σ query[i] · passage[i], summed in fp32 by fused multiply-adds
 * over i = 0 … w - 1 in that order, where passage is the fp16 row of width w as it is stored, widened to
 * fp32. So a score has the same bits whatever the instruction set, the number of threads or the way the
 * passages were cut into pieces. Rows narrower than those fed are derived from them (host/model/widths.h):
 * where the fed rows are a run's widest, they are bit for bit the rows of its narrower files.
 *
 * Order. Higher scores first; of equal scores (a document that is in the archive twice, say) the passage that
 * `order` puts first, or the lower row without one. A NaN score is no hit: a broken row is never found.
 *
 * Memory. One copy of the queries, 16 · k bytes per query and width, and under 1 MiB per thread besides what
 * the source holds; passages pass through.
 *
 * On a card. The lists are the same, bit for bit (cuda/top_k_card.h, which says what that takes of memory);
 * the threads only decode then. Queries that fp16 does not hold, which stored rows never are, are searched
 * for without it. Where the card fails, opening or scanning does, with ERROR_DEVICE or ERROR_MEMORY. */
#pragma once

#include <stdint.h>

#include "host/model/encoder.h"
#include "host/retrieval/hit.h"
#include "io/error.h"

struct top_k_options {
  int32_t k;             /* hits to keep per query and width */
  int64_t queries;       /* at least 1 */
  int32_t threads;       /* at least 1 */
  int32_t passage_width; /* numbers in a passage's row as it will be fed */
  int32_t width_count;
  int32_t widths[WIDTHS_MAX];          /* each at most passage_width */
  const float *query_rows[WIDTHS_MAX]; /* [w]: [queries, widths[w]] fp32; copied */
  const uint32_t *order; /* [order_rows] a passage's place among those of equal score, all different; NULL:
                            its row. Stays the caller's, and must outlive the search. */
  int64_t order_rows;
  bool on_card; /* a CUDA card computes the scores, */
  int32_t card; /* this one */
};

struct top_k;

struct top_k *top_k_open(const struct top_k_options *options, struct error *error);
void top_k_close(struct top_k *top_k);

/* Some passages: rows first_row … first_row + count - 1 of the corpus. */
struct passages {
  const uint16_t *values; /* [count, passage_width] fp16 */
  int64_t first_row, count;
};

/* Hands out passages, piece by piece, in any order, each row once. `next` is called by `threads` threads at
 * the same time, each with its own number `worker` of 0 … threads - 1; a piece has to stay as it is until the
 * same worker's next call. A piece of count 0 says that nothing is left for this worker; false is an error
 * and ends the scan. Pieces of about 1 MiB keep all cores busy at little cost. */
struct passage_source {
  void *context;
  bool (*next)(void *context, int32_t worker, struct passages *piece, struct error *error);
};

/* Scores every passage of the source against every query. May be called again for more passages. On error the
 * lists hold what was seen so far. */
bool top_k_scan(struct top_k *top_k, const struct passage_source *source, struct error *error);

/* The same for passages that are in memory. */
bool top_k_scan_rows(struct top_k *top_k, const struct passages *passages, struct error *error);

/* Merges in hits that another search over other passages found (those of another rank), for widths[w] and
 * `query`, in any order. Not to be called during a scan. */
void top_k_add(struct top_k *top_k, int32_t w, int64_t query, const struct hit *hits, int32_t count);

/* Writes the list of a query at widths[w] to hits [k], best first, and returns its length: k, or the number
 * of passages where that is less. Thread-safe, but not during a scan. */
int32_t top_k_list(const struct top_k *top_k, int32_t w, int64_t query, struct hit *hits);
