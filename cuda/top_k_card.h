/* Exact top-k on a card (host/retrieval/top_k.h): which pairs of a query and a passage may be hits, and their
 * exact scores. The lists stay on the host, with whoever calls this.
 *
 * A product of cuBLASLt's gives every score but for an error whose bound is known (cuda/top_k_queries.c). So
 * it is a filter: what cannot reach the query's list even with the whole error added is dropped, and for the
 * few pairs that are left a kernel computes the score over, by fused multiply-adds in order: the very bits
 * that the CPU gives. A pair that belongs in a list is never lost, whatever the card and its library, and
 * however the passages are ordered.
 *
 * Passages go up in chunks: the caller fills one while the other is worked on. For each width the rows are
 * derived as in host/model/widths.h, bit for bit, and for each block of queries a chunk is taken in steps, at
 * first as many passages as a list holds, then always as many as all before them: in any order but a hostile
 * one each step brings about k candidates a query. Where more come than there is room for, the step is halved
 * and done again.
 *
 * Memory on the card: at most 280 MiB, cuBLASLt's workspace among them, and for each query 2 bytes a number
 * of each width. On the host: two pinned chunks of 32 MiB, 16 MiB for candidates.
 *
 * All calls are for one thread at a time. This header needs no CUDA; in a build without it open fails and
 * says so. After an error the lists may be half filled. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cuda/top_k_candidate.h"
#include "io/error.h"

#define TOP_K_CARD_CHUNKS 2

/* How much is worked on at once; 0: as it is meant to be (cuda/top_k_card.c). For tests, which have less. */
struct top_k_card_sizes {
  int32_t chunk_rows; /* passages in a chunk */
  int64_t scores;     /* of a product: passages times queries */
  int32_t candidates; /* room for them */
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
  uint16_t *chunk[TOP_K_CARD_CHUNKS]; /* [chunk_rows, passage_width] fp16, of the host, to be filled */
};

/* The lists that the candidates are for. */
struct top_k_card_lists {
  void *context;
  /* least[q]: no lower score can enter the list of query first + q any more; -INFINITY while any can. */
  void (*least)(void *context, int32_t w, int64_t first, int32_t count, float *least);
  /* Exact scores, NaN among them. `query` counts all queries, `passage` the rows of the chunk. */
  void (*take)(void *context, int32_t w, const struct top_k_candidate *candidates, int32_t count);
};

/* ERROR_UNSUPPORTED: a query's number is none that fp16 holds, or not finite, so it cannot go through the
 * product: these queries are for the CPU. */
struct top_k_card *top_k_card_open(const struct top_k_card_options *options, struct error *error);
void top_k_card_close(struct top_k_card *card);

/* Queues the copy of a filled chunk. Until top_k_card_run is done with it, it must stay as it is. */
bool top_k_card_send(struct top_k_card *card, int32_t chunk, int32_t rows, struct error *error);

/* Finds the candidates of a chunk that was sent, at every width, and hands them to the lists. */
bool top_k_card_run(struct top_k_card *card, int32_t chunk, int32_t rows,
                    const struct top_k_card_lists *lists, struct error *error);
