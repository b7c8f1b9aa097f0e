/* Exact top-k on a card (host/retrieval/top_k.h): finds the passages that may be a query's hits, and computes
 * their exact scores. The caller keeps the lists on the host.
 *
 * A cuBLASLt product gives every score with an error whose bound is known (cuda/top_k_queries.c). The product
 * is a filter: a passage is dropped if its score cannot reach the query's list even with the whole error
 * added. For the few candidates that are left, a kernel computes the score again, by fused multiply-adds in
 * order, with exactly the CPU's bits. A passage that belongs in a list is never lost, for any card, any
 * library and any passage order.
 *
 * Passages are copied to the card in chunks: the caller fills one chunk while the card works on the other.
 * For each width the rows are derived as in host/model/widths.h, bit for bit. The card searches a chunk in
 * steps, for one query block after the other. The first step takes as many passages as a list holds; each
 * later step takes as many as all steps before it. Unless the passage order is hostile, each step finds about
 * k candidates per query. If a step finds more candidates than there is room for, the step is halved and
 * repeated.
 *
 * Memory on the card: at most 280 MiB, including cuBLASLt's workspace, and for each query 2 bytes per number
 * in each width. On the host: two pinned chunks of 32 MiB, and 16 MiB for candidates.
 *
 * Only one thread at a time may call these functions. This header needs no CUDA; in a build without CUDA,
 * open fails and says so. After an error the lists may be half filled. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cuda/top_k_candidate.h"
#include "io/error.h"

#define TOP_K_CARD_CHUNKS 2

/* How much is done at once; 0: the default (cuda/top_k_card.c). Tests use smaller sizes. */
struct top_k_card_sizes {
  int32_t chunk_rows; /* passages in a chunk */
  int64_t scores;     /* scores in a product: passages times queries */
  int32_t candidates; /* room for candidates */
};

struct top_k_card_options {
  int32_t device;
  int32_t k;       /* hits in a list */
  int64_t queries; /* at least 1 */
  int32_t passage_width, width_count;
  const int32_t *widths;          /* [width_count], each at most passage_width */
  const float *const *query_rows; /* [w]: [queries, widths[w]]; read by open only */
  struct top_k_card_sizes sizes;
};

struct top_k_card {
  int32_t chunk_rows;
  uint16_t *chunk[TOP_K_CARD_CHUNKS]; /* [chunk_rows, passage_width] fp16, on the host; the caller fills it */
};

/* The lists that receive the candidates. */
struct top_k_card_lists {
  void *context;
  /* Fills least[q]: a lower score can no longer enter query first + q's list; -INFINITY if any score can. */
  void (*least)(void *context, int32_t w, int64_t first, int32_t count, float *least);
  /* Takes candidates with exact scores, which may be NaN. `query` counts all queries, `passage` the chunk's
   * rows. */
  void (*take)(void *context, int32_t w, const struct top_k_candidate *candidates, int32_t count);
};

/* ERROR_UNSUPPORTED: a query holds a number that fp16 cannot hold, or that is not finite. The product cannot
 * take such a query; search these queries on the CPU. ERROR_DEVICE also if this process cannot use the card.
 */
struct top_k_card *top_k_card_open(const struct top_k_card_options *options, struct error *error);
void top_k_card_close(struct top_k_card *card);

/* Queues the copy that brings a filled chunk to the card. The chunk must not change until top_k_card_run has
 * searched the chunk. */
bool top_k_card_send(struct top_k_card *card, int32_t chunk, int32_t rows, struct error *error);

/* Finds a sent chunk's candidates at every width, and passes them to the lists. */
bool top_k_card_run(struct top_k_card *card, int32_t chunk, int32_t rows,
                    const struct top_k_card_lists *lists, struct error *error);
