/* A search's state: its queries, packed into panels, and their lists of hits. Private to this folder. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "cuda/top_k_card.h"
#include "host/retrieval/score_tile.h"
#include "host/retrieval/top_k.h"

/* TILE_QUERIES queries at one width; the last panel may hold fewer. `least` is written under the lock and
 * read without it: an old value is too low, so it only lets too many hits pass. */
struct query_panel {
  pthread_mutex_t lock; /* protects heap and held */
  int32_t count;
  const float *queries;               /* [width, TILE_QUERIES] */
  struct hit *heap;                   /* [count, k] */
  int32_t held[TILE_QUERIES];         /* hits in each heap */
  _Atomic(float) least[TILE_QUERIES]; /* lower scores cannot enter the heap */
};

struct top_k {
  struct top_k_options options; /* query_rows are NULL */
  const struct score_kernels *kernels;
  struct top_k_card *card; /* computes the scores; NULL: the threads do */
  int64_t panel_count;
  struct query_panel *panels[WIDTHS_MAX]; /* [w]: [panel_count] */
  float *packed[WIDTHS_MAX];              /* memory for the panels' queries */
  struct hit *heaps[WIDTHS_MAX];          /* memory for the panels' heaps */
};

/* Opens with the given kernels, for tests. */
struct top_k *top_k_open_with(const struct top_k_options *options, const struct score_kernels *kernels,
                              struct error *error);

/* Opens on a card with the given sizes, for tests. */
struct top_k *top_k_open_sized(const struct top_k_options *options, const struct top_k_card_sizes *sizes,
                               struct error *error);

/* Offers a hit to the list of a query in the panel. The caller holds the panel's lock. */
void query_panel_offer(const struct top_k *top_k, struct query_panel *panel, int32_t query, struct hit hit);
