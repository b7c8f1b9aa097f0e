/* A passage that a query found, the one order in which such hits stand, and a heap of the best. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hit {
  int64_t row; /* number of the passage in the corpus */
  float score; /* never NaN */
};

/* True where `a` stands before `b`: the higher score first; of equal scores the lower order[row], or the
 * lower row where `order` is NULL. With rows that differ this is a total order, and that is what makes a list
 * independent of the sequence in which passages were seen. */
static inline bool hit_before(const struct hit *a, const struct hit *b, const uint32_t *order) {
  if (a->score != b->score) return a->score > b->score;
  return order ? order[a->row] < order[b->row] : a->row < b->row;
}

/* Keeps the best `capacity` hits of all that were offered. heap [capacity] holds *count of them, the last in
 * order at heap[0]. Returns whether the hit was taken. */
bool hit_heap_offer(struct hit *heap, int32_t *count, int32_t capacity, const uint32_t *order,
                    struct hit hit);

/* Puts hits (a heap or anything else) into their order, best first. */
void hits_sort(struct hit *hits, int32_t count, const uint32_t *order);
