/* Exact top-k on a card (host/retrieval/top_k.h): finds the pairs of a query and a passage that may be hits,
 * and computes their exact scores. The caller keeps the lists on the host.
 *
 * A product of cuBLASLt gives every score with an error whose bound is known (cuda/top_k_queries.c). The
 * product is a filter: a pair is dropped if it cannot reach the query's list even with the whole error
 * added. For the few pairs that are left, a kernel computes the score again, by fused multiply-adds in
 * order, with exactly the CPU's bits. A pair that belongs in a list is never lost, for any card, any library
 * and any order of the passages.
 *
 * Passages are copied to the card in chunks: the caller fills one chunk while the card works on the other.
 * For each width the rows are derived as in host/model/widths.h, bit for bit. For each block of queries a
 * chunk is processed in steps. The first step takes as many passages as a list holds; each later step takes
 * as many as all steps before it. Unless the order of the passages is hostile, each step finds about k
 * candidates per query. If a step finds more candidates than there is room for, the step is halved and
 * repeated.
 *
 * Memory on the card: at most 280 MiB, including cuBLASLt's workspace, and for each query 2 bytes per number
 * of each width. On the host: two pinned chunks of 32 MiB, and 16 MiB for candidates.
 *
 * Only one thread at a time may call these functions. This header needs no CUDA; in a build without CUDA,
 * open fails and says so. After an error the lists may be half filled. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cuda/top_k_candidate.h"
#include "io/error.h"

#define TOP_K_CARD_CHUNKS 2

/* Sizes of the work done at once; 0: the default (cuda/top_k_card.c). For tests, which use smaller sizes. */
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
  /* Fills least[q]: no lower score can enter the list of query first + q any more; -INFINITY if any score
   * can. */
  void (*least)(void *context, int32_t w, int64_t first, int32_t count, float *least);
  /* Takes candidates with exact scores, which may be NaN. `query` counts all queries, `passage` the rows of
   * the chunk. */
  void (*take)(void *context, int32_t w, const struct top_k_candidate *candidates, int32_t count);
};

/* ERROR_UNSUPPORTED: a query holds a number that fp16 cannot hold, or that is not finite. The product cannot
 * take such a query; search these queries on the CPU. */
struct top_k_card *top_k_card_open(const struct top_k_card_options *options, struct error *error);
void top_k_card_close(struct top_k_card *card);

/* Queues the copy of a filled chunk. The chunk must not change until top_k_card_run is done with the
 * chunk. */
bool top_k_card_send(struct top_k_card *card, int32_t chunk, int32_t rows, struct error *error);

/* Finds the candidates of a sent chunk at every width, and passes them to the lists. */
bool top_k_card_run(struct top_k_card *card, int32_t chunk, int32_t rows,
                    const struct top_k_card_lists *lists, struct error *error);
