/* What a search holds: its queries, packed into panels, and their lists. Private to this folder. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "cuda/top_k_card.h"
#include "host/retrieval/score_tile.h"
#include "host/retrieval/top_k.h"

/* TILE_QUERIES queries at one width; the last panel may hold fewer. */
struct query_panel {
  pthread_mutex_t lock; /* for heap and held */
  int32_t count;
  const float *queries;       /* [width, TILE_QUERIES] */
  struct hit *heap;           /* [count, k] */
  int32_t held[TILE_QUERIES]; /* hits in each heap */
  _Atomic(float)
      least[TILE_QUERIES]; /* no lower score can enter the heap any more: written under the lock, read
                              without it, since one that is out of date only lets too much pass */
};

struct top_k {
  struct top_k_options options; /* without its query_rows */
  const struct score_kernels *kernels;
  struct top_k_card *card; /* that scans; NULL: the threads do */
  int64_t panel_count;
  struct query_panel *panels[WIDTHS_MAX]; /* [w]: [panel_count] */
  float *packed[WIDTHS_MAX];              /* memory of the panels' queries */
  struct hit *heaps[WIDTHS_MAX];          /* and of their heaps */
};

/* Opens with given kernels, for tests. */
struct top_k *top_k_open_with(const struct top_k_options *options, const struct score_kernels *kernels,
                              struct error *error);

/* Opens on a card with given sizes, for tests. */
struct top_k *top_k_open_sized(const struct top_k_options *options, const struct top_k_card_sizes *sizes,
                               struct error *error);

/* Offers a hit to the list of a panel's query; the panel's lock is held. */
void query_panel_offer(const struct top_k *top_k, struct query_panel *panel, int32_t query, struct hit hit);
