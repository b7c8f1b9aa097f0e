#include "host/retrieval/hit.h"

#include <stdlib.h>

/* Moves `hit` down from the root to its place: a parent always stands after its children in order. */
static void heap_sink(struct hit *heap, int32_t count, const uint32_t *order, struct hit hit) {
  int32_t at = 0;
  for (;;) {
    int32_t child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && hit_before(&heap[child], &heap[child + 1], order)) child++;
    if (!hit_before(&hit, &heap[child], order)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = hit;
}

static void heap_rise(struct hit *heap, int32_t at, const uint32_t *order, struct hit hit) {
  while (at > 0) {
    const int32_t parent = (at - 1) / 2;
    if (!hit_before(&heap[parent], &hit, order)) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = hit;
}

bool hit_heap_offer(struct hit *heap, int32_t *count, int32_t capacity, const uint32_t *order,
                    struct hit hit) {
  if (*count < capacity) {
    heap_rise(heap, (*count)++, order, hit);
    return true;
  }
  if (!hit_before(&hit, &heap[0], order)) return false;
  heap_sink(heap, *count, order, hit);
  return true;
}

static int hit_compare(const void *a, const void *b, void *order) {
  return hit_before(a, b, order) ? -1 : hit_before(b, a, order);
}

void hits_sort(struct hit *hits, int32_t count, const uint32_t *order) {
  /* qsort_r passes its context through; no function writes to it. */
  qsort_r(hits, (size_t)count, sizeof *hits, hit_compare, (void *)(uintptr_t)order);
}
