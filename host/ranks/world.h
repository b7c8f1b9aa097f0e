/* The processes of a job and how bytes go between them: the seam below which MPI lives. One thread of each
 * process, always the same, calls all of it. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct world {
  const struct world_vtable *vtable;
  int32_t rank, size;
};

struct world_vtable {
  /* Sends a copy of the bytes without waiting. Between two ranks messages arrive in the order in which they
   * were sent. */
  bool (*send)(struct world *world, int32_t to, const void *bytes, size_t size, struct error *error);
  /* Takes a message that has arrived, of at most `capacity` bytes; false where there is none. */
  bool (*receive)(struct world *world, int32_t *from, void *bytes, size_t capacity, size_t *size);
  /* Collective, like the next: all ranks call them in the same order. Rank 0's bytes to all. */
  void (*share)(struct world *world, void *bytes, size_t size);
  /* `size` bytes of every rank to all of them, in the order of the ranks. */
  void (*gather)(struct world *world, const void *bytes, size_t size, void *all);
  /* The same to rank 0 alone; `all` is unused elsewhere. At most RANKS_COLLECT_MAX bytes of each
   * (ranks.h). */
  void (*collect)(struct world *world, const void *bytes, size_t size, void *all);
  /* Collective too, unless `broken`: this rank cannot go on, so the others must not wait for it. */
  void (*close)(struct world *world, bool broken);
};

/* The world that a launcher (mpirun, srun) has made; *world is NULL where this process was started by hand:
 * then MPI is not initialised. ERROR_USAGE where a launcher has started several processes of a program that
 * was built without MPI. */
bool world_open(struct world **world, struct error *error);

#define WORLD_LIBRARY_MAX 64

/* The MPI library, for people, as "Open MPI v4.1.4". False in a build without MPI. May be called without a
 * world. */
bool world_library(char text[WORLD_LIBRARY_MAX]);
