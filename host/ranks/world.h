/* The processes of a job, and how they exchange bytes. MPI is hidden below this interface. One thread of each
 * process, always the same, makes all calls. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct world {
  const struct world_vtable *vtable;
  int32_t rank, size;
};

struct world_vtable {
  /* Sends a copy of the bytes without waiting. Messages between two ranks arrive in the order they were
   * sent. */
  bool (*send)(struct world *world, int32_t to, const void *bytes, size_t size, struct error *error);
  /* Receives a message of at most `capacity` bytes; false if none has arrived. */
  bool (*receive)(struct world *world, int32_t *from, void *bytes, size_t capacity, size_t *size);
  /* Sends rank 0's bytes to all ranks. This function and the next three are collective: all ranks call them
   * in the same order. */
  void (*share)(struct world *world, void *bytes, size_t size);
  /* Sends `size` bytes from every rank to all ranks, ordered by rank. */
  void (*gather)(struct world *world, const void *bytes, size_t size, void *all);
  /* The same, but only to rank 0; `all` is unused on other ranks. At most RANKS_COLLECT_MAX bytes a rank
   * (ranks.h). */
  void (*collect)(struct world *world, const void *bytes, size_t size, void *all);
  /* Collective, unless `broken`: then this rank cannot go on, and the others must not wait for it. Their
   * processes are ended when this one exits. */
  void (*close)(struct world *world, bool broken);
};

/* Opens the world of the launcher (mpirun, srun). If no launcher started this process, *world is NULL and MPI
 * is not initialised. ERROR_USAGE if a launcher has started several processes of a program that was built
 * without MPI. */
bool world_open(struct world **world, struct error *error);

/* How many ranks the launcher has started at least, by what the environment tells; 1 without a launcher. MPI
 * is not initialised: a launcher lets only one process do that for each rank, and its rank may be a shell,
 * which starts nina several times. */
int32_t world_told_size(void);

#define WORLD_LIBRARY_MAX 64

/* The MPI library's name for people, like "Open MPI v4.1.4". False in a build without MPI. Needs no open
 * world. */
bool world_library(char text[WORLD_LIBRARY_MAX]);
