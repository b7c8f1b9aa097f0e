/* A first-in first-out queue of pointers between threads. It grows as needed; what bounds it is the number of
 * blocks in flight. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue {
  pthread_mutex_t lock;
  pthread_cond_t ready;
  void **item; /* ring of `capacity`, under the lock like all below */
  size_t capacity, first, count;
  bool closed;
};

bool queue_init(struct queue *queue, size_t capacity);
void queue_free(struct queue *queue);

/* False when memory is short or the queue is closed; the item stays the caller's. */
bool queue_push(struct queue *queue, void *item);

/* Waits for an item; false once the queue is closed and empty. The time spent waiting is added to *waited, in
 * ns. */
bool queue_pop(struct queue *queue, void **item, int64_t *waited);

/* No more items will come: those who wait are woken once the queue is empty. */
void queue_close(struct queue *queue);

/* Takes an item if there is one, never waiting. */
bool queue_try_pop(struct queue *queue, void **item);
