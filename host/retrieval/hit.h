/* A passage that a query found, the order in which all lists hold such hits, and a heap that keeps the
 * best. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hit {
  int64_t row; /* the passage's number in the corpus */
  float score; /* never NaN */
};

/* True if `a` stands before `b`. The higher score comes first; equal scores stand by order[row], or by row if
 * `order` is NULL, the lower first. If all rows differ, this is a total order, so a list does not depend on
 * the sequence in which passages were seen. */
static inline bool hit_before(const struct hit *a, const struct hit *b, const uint32_t *order) {
  if (a->score != b->score) return a->score > b->score;
  return order ? order[a->row] < order[b->row] : a->row < b->row;
}

/* Offers a hit to a heap that keeps the best `capacity` hits. heap [capacity] holds *count hits, the last in
 * order at heap[0]. Returns true if the heap takes the hit. */
bool hit_heap_offer(struct hit *heap, int32_t *count, int32_t capacity, const uint32_t *order,
                    struct hit hit);

/* Sorts hits (a heap or any array), best first. */
void hits_sort(struct hit *hits, int32_t count, const uint32_t *order);
