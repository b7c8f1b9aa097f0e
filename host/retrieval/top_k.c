#include "host/retrieval/top_k.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/half.h"
#include "host/retrieval/top_k_panels.h"

static bool options_check(const struct top_k_options *options, struct error *error) {
  if (options->k < 1)
    return error_set(error, ERROR_USAGE, "a search for %d hits per query: expected at least 1", options->k);
  if (options->queries < 1) return error_set(error, ERROR_USAGE, "a search without a query");
  if (options->threads < 1)
    return error_set(error, ERROR_USAGE, "a search by %d threads: expected at least 1", options->threads);
  if (options->width_count < 1 || options->width_count > WIDTHS_MAX)
    return error_set(error, ERROR_USAGE, "a search at %d widths: expected 1 to %d", options->width_count,
                     WIDTHS_MAX);
  for (int32_t w = 0; w < options->width_count; w++)
    if (options->widths[w] < 1 || options->widths[w] > options->passage_width)
      return error_set(error, ERROR_USAGE, "a search at width %d over vectors of width %d: expected 1 to %d",
                       options->widths[w], options->passage_width, options->passage_width);
  return true;
}

/* Allocates rows × columns × size zeroed bytes, aligned for the widest vectors. */
static void *array_make(int64_t rows, int64_t columns, size_t size, const char *purpose,
                        struct error *error) {
  size_t bytes;
  if (__builtin_mul_overflow((size_t)rows, (size_t)columns, &bytes) ||
      __builtin_mul_overflow(bytes, size, &bytes) || bytes > SIZE_MAX - 63) {
    error_set(error, ERROR_MEMORY, "out of memory: %lld times %lld times %zu bytes for %s", (long long)rows,
              (long long)columns, size, purpose);
    return NULL;
  }
  bytes = (bytes + 63) & ~(size_t)63;
  void *array = aligned_alloc(64, bytes);
  if (!array) {
    error_set_memory(error, bytes, purpose);
    return NULL;
  }
  return memset(array, 0, bytes);
}

/* Packs rows [count, width] into panel [width, TILE_QUERIES]; lanes from count on stay 0. */
static void queries_pack(const float *rows, int32_t count, int32_t width, float *panel) {
  for (int32_t q = 0; q < count; q++)
    for (int64_t i = 0; i < width; i++) panel[i * TILE_QUERIES + q] = rows[q * (int64_t)width + i];
}

static bool panels_make(struct top_k *top_k, int32_t w, const float *rows, struct error *error) {
  const int32_t width = top_k->options.widths[w], k = top_k->options.k;
  struct query_panel *panels =
      array_make(top_k->panel_count, 1, sizeof *panels, "the panels of a search", error);
  float *packed =
      array_make(top_k->panel_count, TILE_QUERIES * (int64_t)width, sizeof *packed, "queries", error);
  struct hit *heaps = array_make(top_k->options.queries, k, sizeof *heaps, "lists of hits", error);
  top_k->packed[w] = packed;
  top_k->heaps[w] = heaps;
  if (!panels || !packed || !heaps) {
    free(panels);
    return false;
  }
  top_k->panels[w] = panels;
  for (int64_t p = 0; p < top_k->panel_count; p++) {
    const int64_t first = p * TILE_QUERIES, rest = top_k->options.queries - first;
    struct query_panel *panel = &panels[p];
    pthread_mutex_init(&panel->lock, NULL);
    panel->count = rest < TILE_QUERIES ? (int32_t)rest : TILE_QUERIES;
    panel->queries = packed + first * width;
    panel->heap = heaps + first * k;
    for (int32_t q = 0; q < TILE_QUERIES; q++) atomic_init(&panel->least[q], -INFINITY);
    queries_pack(rows + first * width, panel->count, width, packed + first * width);
  }
  return true;
}

/* Opens the card if the options ask for one. ERROR_UNSUPPORTED is no failure: the threads search instead. */
static bool card_open(struct top_k *top_k, const struct top_k_options *options,
                      const struct top_k_card_sizes *sizes, struct error *error) {
  const struct top_k_card_options card = {.device = options->card,
                                          .k = options->k,
                                          .queries = options->queries,
                                          .passage_width = options->passage_width,
                                          .width_count = options->width_count,
                                          .widths = options->widths,
                                          .query_rows = options->query_rows,
                                          .sizes = *sizes};
  if (!options->on_card) return true;
  top_k->card = top_k_card_open(&card, error);
  return top_k->card || error->code == ERROR_UNSUPPORTED;
}

static struct top_k *top_k_make(const struct top_k_options *options, const struct score_kernels *kernels,
                                const struct top_k_card_sizes *sizes, struct error *error) {
  if (!options_check(options, error)) return NULL;
  struct top_k *top_k = calloc(1, sizeof *top_k);
  if (!top_k) {
    error_set_memory(error, sizeof *top_k, "a search");
    return NULL;
  }
  top_k->options = *options;
  top_k->kernels = kernels;
  top_k->panel_count = (options->queries + TILE_QUERIES - 1) / TILE_QUERIES;
  for (int32_t w = 0; w < options->width_count; w++) {
    top_k->options.query_rows[w] = NULL;
    if (!panels_make(top_k, w, options->query_rows[w], error)) {
      top_k_close(top_k);
      return NULL;
    }
  }
  if (card_open(top_k, options, sizes, error)) return top_k;
  top_k_close(top_k);
  return NULL;
}

struct top_k *top_k_open_with(const struct top_k_options *options, const struct score_kernels *kernels,
                              struct error *error) {
  return top_k_make(options, kernels, &(struct top_k_card_sizes){0}, error);
}

struct top_k *top_k_open_sized(const struct top_k_options *options, const struct top_k_card_sizes *sizes,
                               struct error *error) {
  return top_k_make(options, score_kernels_best(), sizes, error);
}

struct top_k *top_k_open(const struct top_k_options *options, struct error *error) {
  return top_k_open_with(options, score_kernels_best(), error);
}

void top_k_close(struct top_k *top_k) {
  if (!top_k) return;
  top_k_card_close(top_k->card);
  for (int32_t w = 0; w < top_k->options.width_count; w++) {
    if (top_k->panels[w])
      for (int64_t p = 0; p < top_k->panel_count; p++) pthread_mutex_destroy(&top_k->panels[w][p].lock);
    free(top_k->panels[w]);
    free(top_k->packed[w]);
    free(top_k->heaps[w]);
  }
  free(top_k);
}

void query_panel_offer(const struct top_k *top_k, struct query_panel *panel, int32_t query, struct hit hit) {
  const int32_t k = top_k->options.k;
  struct hit *heap = panel->heap + (int64_t)query * k;
  const bool taken = hit_heap_offer(heap, &panel->held[query], k, top_k->options.order, hit);
  if (taken && panel->held[query] == k)
    atomic_store_explicit(&panel->least[query], heap[0].score, memory_order_relaxed);
}

float top_k_score(const float *query, const uint16_t *passage, int32_t width) {
  float sum = 0;
  for (int32_t i = 0; i < width; i++) sum = fmaf(query[i], half_to_float(passage[i]), sum);
  return sum;
}

void top_k_add(struct top_k *top_k, int32_t w, int64_t query, const struct hit *hits, int32_t count) {
  struct query_panel *panel = &top_k->panels[w][query / TILE_QUERIES];
  pthread_mutex_lock(&panel->lock);
  for (int32_t i = 0; i < count; i++)
    query_panel_offer(top_k, panel, (int32_t)(query % TILE_QUERIES), hits[i]);
  pthread_mutex_unlock(&panel->lock);
}

int32_t top_k_list(const struct top_k *top_k, int32_t w, int64_t query, struct hit *hits) {
  const struct query_panel *panel = &top_k->panels[w][query / TILE_QUERIES];
  const int32_t lane = (int32_t)(query % TILE_QUERIES), count = panel->held[lane];
  if (count == 0) return 0;
  memcpy(hits, panel->heap + (int64_t)lane * top_k->options.k, (size_t)count * sizeof *hits);
  hits_sort(hits, count, top_k->options.order);
  return count;
}
