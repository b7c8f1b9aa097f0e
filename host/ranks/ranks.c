/* The ranks' places, and the collective functions. */
#include "host/ranks/ranks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/ranks/state.h"
#include "io/machine.h"
#include "io/processors.h"

/* What each rank tells the others at the start. */
struct arrival {
  struct machine machine;
  struct processors processors;
};

static bool arrival_fill(struct arrival *arrival, struct error *error) {
  memset(arrival, 0, sizeof *arrival);
  processors_read(&arrival->processors);
  return machine_here(&arrival->machine, error);
}

static void places_fill(struct ranks *ranks, const struct arrival *arrival) {
  for (int32_t i = 0; i < ranks->size; i++) {
    struct ranks_place *place = &ranks->place[i];
    memcpy(place->host, arrival[i].machine.host, sizeof place->host);
    place->processors = arrival[i].processors.count;
    for (int32_t j = 0; j < ranks->size; j++) {
      if (!machine_same(&arrival[i].machine, &arrival[j].machine)) continue;
      if (place->local_size++ == 0) place->machine = j;
      place->local_rank += j < i;
      place->sharers += arrival[i].processors.mask == arrival[j].processors.mask;
    }
  }
}

static bool ranks_arrive(struct ranks *ranks, struct error *error) {
  struct arrival *arrivals = calloc((size_t)ranks->size, sizeof *arrivals), mine;
  if (!arrivals) return error_set_memory(error, (size_t)ranks->size * sizeof *arrivals, "the ranks");
  const bool known = arrival_fill(&mine, error);
  if (ranks->size > 1)
    ranks->world->vtable->gather(ranks->world, &mine, sizeof mine, arrivals);
  else
    arrivals[0] = mine;
  places_fill(ranks, arrivals);
  free(arrivals);
  return known;
}

static bool ranks_init(struct ranks *ranks, struct error *error) {
  const size_t size = (size_t)ranks->size;
  pthread_condattr_t attributes;
  pthread_mutex_init(&ranks->lock, NULL);
  pthread_cond_init(&ranks->changed, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&ranks->posted, &attributes);
  pthread_condattr_destroy(&attributes);
  ranks->place = calloc(size, sizeof *ranks->place);
  ranks->errors = calloc(size, sizeof *ranks->errors);
  ranks->oks = calloc(size, sizeof *ranks->oks);
  ranks->member = calloc(ranks->rank == 0 ? size : 1, sizeof *ranks->member);
  if (!ranks->place || !ranks->errors || !ranks->oks || !ranks->member)
    return error_set_memory(error, size * sizeof(struct error), "the ranks");
  return ranks_arrive(ranks, error);
}

struct ranks *ranks_open_world(struct world *world, struct error *error) {
  struct ranks *ranks = calloc(1, sizeof *ranks);
  if (!ranks) {
    error_set_memory(error, sizeof *ranks, "the ranks");
    if (world) world->vtable->close(world, true);
    return NULL;
  }
  ranks->world = world;
  ranks->rank = world ? world->rank : 0;
  ranks->size = world ? world->size : 1;
  if (ranks_init(ranks, error)) return ranks;
  ranks->broken = true;
  ranks_close(ranks);
  return NULL;
}

struct ranks *ranks_open(struct error *error) {
  struct world *world;
  return world_open(&world, error) ? ranks_open_world(world, error) : NULL;
}

bool ranks_wait(struct ranks *ranks, bool ok, bool *all) {
  *all = ok;
  if (ranks->broken) return false;
  if (ranks->size == 1) return true;
  ranks->world->vtable->gather(ranks->world, &ok, sizeof ok, ranks->oks);
  for (int32_t rank = 0; rank < ranks->size; rank++) *all &= ranks->oks[rank];
  return true;
}

void ranks_close(struct ranks *ranks) {
  if (!ranks) return;
  if (ranks->world) ranks->world->vtable->close(ranks->world, ranks->broken);
  claims_close(ranks->claims);
  pthread_mutex_destroy(&ranks->lock);
  pthread_cond_destroy(&ranks->changed);
  pthread_cond_destroy(&ranks->posted);
  free(ranks->outbox);
  free(ranks->member);
  free(ranks->oks);
  free(ranks->errors);
  free(ranks->place);
  free(ranks);
}

int32_t ranks_rank(const struct ranks *ranks) {
  return ranks->rank;
}

int32_t ranks_size(const struct ranks *ranks) {
  return ranks->size;
}

bool ranks_launched(const struct ranks *ranks) {
  return ranks->world != NULL;
}

const struct ranks_place *ranks_place_of(const struct ranks *ranks, int32_t rank) {
  return &ranks->place[rank];
}

int32_t ranks_processors(const struct ranks *ranks) {
  const struct ranks_place *place = &ranks->place[ranks->rank];
  const int32_t share = place->processors / place->sharers;
  return share > 0 ? share : 1;
}

bool ranks_agree(struct ranks *ranks, bool ok, struct error *error) {
  if (ranks->size == 1) return ok;
  const struct world_vtable *world = ranks->world->vtable;
  world->gather(ranks->world, &ok, sizeof ok, ranks->oks);
  int32_t first = 0;
  while (first < ranks->size && ranks->oks[first]) first++;
  if (first == ranks->size) return true;
  const struct error mine = ok ? (struct error){0} : *error;
  world->gather(ranks->world, &mine, sizeof mine, ranks->errors);
  *error = ranks->errors[first];
  return first == 0 ? false : error_prefix(error, "rank %d on %s", first, ranks->place[first].host);
}

bool ranks_share(struct ranks *ranks, void **bytes, size_t *size, struct error *error) {
  if (ranks->size == 1) return true;
  const struct world_vtable *world = ranks->world->vtable;
  world->share(ranks->world, size, sizeof *size);
  void *copy = ranks->rank == 0 ? *bytes : malloc(*size + 1);
  if (!copy) error_set_memory(error, *size, "what rank 0 sends");
  if (!ranks_agree(ranks, copy != NULL, error)) {
    if (ranks->rank > 0) free(copy);
    return false;
  }
  world->share(ranks->world, copy, *size);
  *bytes = copy;
  return true;
}

void ranks_share_into(struct ranks *ranks, void *bytes, size_t size) {
  if (ranks->size > 1) ranks->world->vtable->share(ranks->world, bytes, size);
}

void ranks_collect(struct ranks *ranks, const void *bytes, size_t size, void *all) {
  assert(size <= RANKS_COLLECT_MAX);
  if (ranks->size > 1)
    ranks->world->vtable->collect(ranks->world, bytes, size, all);
  else
    memcpy(all, bytes, size);
}

void ranks_texts_free(const struct ranks *ranks, char **texts) {
  for (int32_t i = 0; texts && i < ranks->size; i++) free(texts[i]);
  free(texts);
}

/* Copies the `count` texts, `longest` bytes each, out of one buffer. */
static char **texts_split(const char *all, size_t longest, int32_t count) {
  char **texts = calloc((size_t)count, sizeof *texts);
  for (int32_t i = 0; texts && i < count; i++) {
    texts[i] = strdup(all + (size_t)i * longest);
    if (texts[i]) continue;
    while (i > 0) free(texts[--i]);
    free(texts);
    return NULL;
  }
  return texts;
}

bool ranks_gather(struct ranks *ranks, const char *text, char ***texts, struct error *error) {
  const struct world_vtable *world = ranks->size > 1 ? ranks->world->vtable : NULL;
  const size_t mine = strlen(text) + 1;
  size_t longest = mine;
  *texts = NULL;
  size_t *sizes = calloc((size_t)ranks->size, sizeof *sizes);
  if (!sizes) error_set_memory(error, (size_t)ranks->size * sizeof *sizes, "the ranks' texts");
  if (!ranks_agree(ranks, sizes != NULL, error)) {
    free(sizes);
    return false;
  }
  if (world) world->gather(ranks->world, &mine, sizeof mine, sizes);
  for (int32_t i = 0; i < ranks->size; i++)
    if (sizes[i] > longest) longest = sizes[i];
  free(sizes);
  char *padded = calloc(1, longest), *all = malloc((size_t)ranks->size * longest);
  bool ok = padded && all;
  if (!ok) error_set_memory(error, (size_t)ranks->size * longest, "the ranks' texts");
  ok = ranks_agree(ranks, ok, error);
  if (ok) {
    memcpy(padded, text, mine);
    if (world)
      world->gather(ranks->world, padded, longest, all);
    else
      memcpy(all, padded, longest);
    *texts = texts_split(all, longest, ranks->size);
    if (!*texts) error_set_memory(error, (size_t)ranks->size * longest, "the ranks' texts");
    ok = ranks_agree(ranks, *texts != NULL, error);
    if (!ok) {
      ranks_texts_free(ranks, *texts);
      *texts = NULL;
    }
  }
  free(padded);
  free(all);
  return ok;
}

bool ranks_failure_is_everybodys(const struct error *failure) {
  switch (failure->code) {
    case ERROR_USAGE:
    case ERROR_INPUT:
    case ERROR_CONFLICT:
    case ERROR_UNSUPPORTED:
      return true;
    case ERROR_NONE:
    case ERROR_IO:
    case ERROR_MEMORY:
    case ERROR_DEVICE:
      break;
  }
  return false;
}
