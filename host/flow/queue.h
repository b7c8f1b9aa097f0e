/* A first-in first-out queue of pointers between threads. It grows as needed; the number of blocks in flight
 * bounds its size. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue {
  pthread_mutex_t lock;
  pthread_cond_t ready;
  void **item; /* ring of `capacity`; under the lock, like all below */
  size_t capacity, first, count;
  bool closed;
};

bool queue_init(struct queue *queue, size_t capacity);
void queue_free(struct queue *queue);

/* Adds an item. False if memory runs out or the queue is closed; the caller then keeps the item. */
bool queue_push(struct queue *queue, void *item);

/* Waits for an item; false once the queue is closed and empty. Adds the waiting time to *waited, in ns. */
bool queue_pop(struct queue *queue, void **item, int64_t *waited);

/* No more items will come: once the queue is empty, waiting threads wake. */
void queue_close(struct queue *queue);

/* Takes an item if there is one; never waits. */
bool queue_try_pop(struct queue *queue, void **item);
