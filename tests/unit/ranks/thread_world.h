/* A world whose ranks are threads in one process. It does what MPI does, but ThreadSanitizer can watch it. */
#pragma once

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host/ranks/world.h"

#define WORLD_MAX 8

struct letter {
  struct letter *next;
  int32_t from;
  size_t size;
  char bytes[];
};

/* The lock protects all fields. */
struct hub {
  pthread_mutex_t lock;
  pthread_barrier_t barrier;
  struct letter *first[WORLD_MAX], **last[WORLD_MAX]; /* each rank's letters */
  const void *shown[WORLD_MAX];                       /* what a collective call takes from each rank */
};

struct thread_world {
  struct world world;
  struct hub *hub;
};

static inline bool thread_world_send(struct world *world, int32_t to, const void *bytes, size_t size,
                                     struct error *error) {
  struct hub *hub = ((struct thread_world *)world)->hub;
  struct letter *letter = malloc(sizeof *letter + size);
  if (!letter) return error_set_memory(error, size, "a letter");
  *letter = (struct letter){.from = world->rank, .size = size};
  memcpy(letter->bytes, bytes, size);
  pthread_mutex_lock(&hub->lock);
  *hub->last[to] = letter;
  hub->last[to] = &letter->next;
  pthread_mutex_unlock(&hub->lock);
  return true;
}

static inline bool thread_world_receive(struct world *world, int32_t *from, void *bytes, size_t capacity,
                                        size_t *size) {
  struct hub *hub = ((struct thread_world *)world)->hub;
  pthread_mutex_lock(&hub->lock);
  struct letter *letter = hub->first[world->rank];
  if (letter && !(hub->first[world->rank] = letter->next)) hub->last[world->rank] = &hub->first[world->rank];
  pthread_mutex_unlock(&hub->lock);
  if (!letter || letter->size > capacity) return false;
  *from = letter->from;
  *size = letter->size;
  memcpy(bytes, letter->bytes, letter->size);
  free(letter);
  return true;
}

static inline void thread_world_share(struct world *world, void *bytes, size_t size) {
  struct hub *hub = ((struct thread_world *)world)->hub;
  hub->shown[world->rank] = bytes;
  pthread_barrier_wait(&hub->barrier);
  if (world->rank > 0) memcpy(bytes, hub->shown[0], size);
  pthread_barrier_wait(&hub->barrier);
}

static inline void thread_world_gather(struct world *world, const void *bytes, size_t size, void *all) {
  struct hub *hub = ((struct thread_world *)world)->hub;
  hub->shown[world->rank] = bytes;
  pthread_barrier_wait(&hub->barrier);
  for (int32_t i = 0; i < world->size; i++) memcpy((char *)all + (size_t)i * size, hub->shown[i], size);
  pthread_barrier_wait(&hub->barrier);
}

static inline void thread_world_collect(struct world *world, const void *bytes, size_t size, void *all) {
  struct hub *hub = ((struct thread_world *)world)->hub;
  hub->shown[world->rank] = bytes;
  pthread_barrier_wait(&hub->barrier);
  for (int32_t i = 0; world->rank == 0 && i < world->size; i++)
    memcpy((char *)all + (size_t)i * size, hub->shown[i], size);
  pthread_barrier_wait(&hub->barrier);
}

static inline void thread_world_close(struct world *world, bool broken) {
  if (broken) abort();
  free(world);
}

static const struct world_vtable thread_world_vtable = {.send = thread_world_send,
                                                        .receive = thread_world_receive,
                                                        .share = thread_world_share,
                                                        .gather = thread_world_gather,
                                                        .collect = thread_world_collect,
                                                        .close = thread_world_close};

static inline void hub_init(struct hub *hub, int32_t size) {
  *hub = (struct hub){0};
  pthread_mutex_init(&hub->lock, NULL);
  pthread_barrier_init(&hub->barrier, NULL, (unsigned)size);
  for (int32_t i = 0; i < WORLD_MAX; i++) hub->last[i] = &hub->first[i];
}

static inline void hub_free(struct hub *hub) {
  pthread_mutex_destroy(&hub->lock);
  pthread_barrier_destroy(&hub->barrier);
}

/* Returns one rank's end of the hub; ranks_close frees it. */
static inline struct world *hub_world(struct hub *hub, int32_t rank, int32_t size) {
  struct thread_world *world = calloc(1, sizeof *world);
  if (!world) abort();
  *world = (struct thread_world){.world = {&thread_world_vtable, rank, size}, .hub = hub};
  return &world->world;
}
