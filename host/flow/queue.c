#include "host/flow/queue.h"

#include <stdlib.h>

#include "io/clock.h"

bool queue_init(struct queue *queue, size_t capacity) {
  *queue = (struct queue){.capacity = capacity};
  queue->item = malloc(capacity * sizeof *queue->item);
  if (!queue->item) return false;
  pthread_mutex_init(&queue->lock, NULL);
  pthread_cond_init(&queue->ready, NULL);
  return true;
}

void queue_free(struct queue *queue) {
  if (!queue->item) return;
  free(queue->item);
  pthread_mutex_destroy(&queue->lock);
  pthread_cond_destroy(&queue->ready);
  *queue = (struct queue){0};
}

static bool queue_grow(struct queue *queue) {
  void **item = malloc(2 * queue->capacity * sizeof *item);
  if (!item) return false;
  for (size_t i = 0; i < queue->count; i++) item[i] = queue->item[(queue->first + i) % queue->capacity];
  free(queue->item);
  queue->item = item;
  queue->first = 0;
  queue->capacity *= 2;
  return true;
}

bool queue_push(struct queue *queue, void *item) {
  pthread_mutex_lock(&queue->lock);
  const bool pushed = !queue->closed && (queue->count < queue->capacity || queue_grow(queue));
  if (pushed) {
    queue->item[(queue->first + queue->count++) % queue->capacity] = item;
    pthread_cond_signal(&queue->ready);
  }
  pthread_mutex_unlock(&queue->lock);
  return pushed;
}

/* The lock is held, and the queue is not empty. */
static void *queue_take(struct queue *queue) {
  void *item = queue->item[queue->first];
  queue->first = (queue->first + 1) % queue->capacity;
  queue->count--;
  return item;
}

bool queue_pop(struct queue *queue, void **item, int64_t *waited) {
  pthread_mutex_lock(&queue->lock);
  if (queue->count == 0 && !queue->closed) {
    const int64_t start = clock_now();
    while (queue->count == 0 && !queue->closed) pthread_cond_wait(&queue->ready, &queue->lock);
    *waited += clock_now() - start;
  }
  const bool taken = queue->count > 0;
  if (taken) *item = queue_take(queue);
  pthread_mutex_unlock(&queue->lock);
  return taken;
}

bool queue_try_pop(struct queue *queue, void **item) {
  pthread_mutex_lock(&queue->lock);
  const bool taken = queue->count > 0;
  if (taken) *item = queue_take(queue);
  pthread_mutex_unlock(&queue->lock);
  return taken;
}

void queue_close(struct queue *queue) {
  pthread_mutex_lock(&queue->lock);
  queue->closed = true;
  pthread_cond_broadcast(&queue->ready);
  pthread_mutex_unlock(&queue->lock);
}
