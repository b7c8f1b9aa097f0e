/* Exact top-k by dot product: for every query, the k passages with the highest scores, at several Matryoshka
 * widths in one pass over the stored vectors.
 *
 * Scores. The score of a pair at width w is Σ query[i] · passage[i], summed in fp32 by fused multiply-adds
 * over i = 0 … w - 1 in this order; `passage` is the stored fp16 row at width w, widened to fp32. So a score
 * has the same bits for every instruction set, number of threads and division of the passages into pieces.
 * Rows narrower than the fed rows are derived from them (host/model/widths.h): if the fed rows are a run's
 * widest, the derived rows equal the rows in its narrower files bit for bit.
 *
 * Order. Higher scores first. For equal scores (for example, a document that is in the archive twice) the
 * passage that `order` puts first, or the lower row if `order` is NULL. A NaN score is no hit: a broken row
 * is never found.
 *
 * Memory. One copy of the queries, 16 · k bytes per query and width, and under 1 MiB per thread besides the
 * source's memory. Passages are not kept.
 *
 * On a card. The lists are the same, bit for bit (cuda/top_k_card.h, which states the memory this takes); the
 * threads only decode. If fp16 cannot hold a query (stored rows always fit), the search does not use the
 * card. If the card fails, opening or scanning fails with ERROR_DEVICE or ERROR_MEMORY. */
#pragma once

#include <stdint.h>

#include "host/model/encoder.h"
#include "host/retrieval/hit.h"
#include "io/error.h"

struct top_k_options {
  int32_t k;             /* hits to keep per query and width */
  int64_t queries;       /* at least 1 */
  int32_t threads;       /* at least 1 */
  int32_t passage_width; /* numbers in a fed passage row */
  int32_t width_count;
  int32_t widths[WIDTHS_MAX];          /* each at most passage_width */
  const float *query_rows[WIDTHS_MAX]; /* [w]: [queries, widths[w]] fp32; copied */
  const uint32_t *order; /* [order_rows] a passage's place among equal scores, all different; NULL: its row;
                            the caller's, must outlive the search */
  int64_t order_rows;
  bool on_card; /* a CUDA card computes the scores */
  int32_t card; /* the card's number */
};

struct top_k;

struct top_k *top_k_open(const struct top_k_options *options, struct error *error);
void top_k_close(struct top_k *top_k);

/* Passages: rows first_row … first_row + count - 1 of the corpus. */
struct passages {
  const uint16_t *values; /* [count, passage_width] fp16 */
  int64_t first_row, count;
};

/* Hands out passages in pieces, in any order, each row once. `threads` threads call `next` at the same time,
 * each with its own `worker` number, 0 … threads - 1. A piece must stay unchanged until the same worker's
 * next call. A piece with count 0 means that nothing is left for this worker. If `next` returns false, the
 * scan ends with its error. Pieces of about 1 MiB keep all cores busy at little cost. */
struct passage_source {
  void *context;
  bool (*next)(void *context, int32_t worker, struct passages *piece, struct error *error);
};

/* Scores every passage from the source against every query. May be called again with more passages. On an
 * error the lists hold the hits found so far. */
bool top_k_scan(struct top_k *top_k, const struct passage_source *source, struct error *error);

/* The same for passages in memory. */
bool top_k_scan_rows(struct top_k *top_k, const struct passages *passages, struct error *error);

/* The score of one pair: query [width] fp32, passage [width] fp16. */
float top_k_score(const float *query, const uint16_t *passage, int32_t width);

/* Adds hits that another search found over other passages (another rank's, for example), for `query` at
 * widths[w], in any order. Must not run during a scan. */
void top_k_add(struct top_k *top_k, int32_t w, int64_t query, const struct hit *hits, int32_t count);

/* Writes a query's list at widths[w] to hits [k], best first. Returns its length: k, or the number of
 * passages if there are fewer. Thread-safe, but not during a scan. */
int32_t top_k_list(const struct top_k *top_k, int32_t w, int64_t query, struct hit *hits);
