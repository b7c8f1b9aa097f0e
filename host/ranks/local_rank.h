/* Recognises two daemons of Open MPI under one host name that share /dev/shm, as containers may; private to
 * host/ranks. The daemons number their ranks alike, so the ranks' segments for shared memory have the same
 * names (/dev/shm/vader_segment.HOST.….RANK), and the ranks crash. */
#pragma once

#include <stdbool.h>

#include "io/error.h"

/* This rank's number on its host, held by a lock on a file in /dev/shm. */
struct local_rank {
  int file; /* -1: not held */
  char path[256];
};

/* Call before MPI_Init. ERROR_USAGE if another process of the job has the number already. Holds nothing if
 * the launcher does not say the number, if /dev/shm cannot be written, or if the user has chosen a transport.
 */
bool local_rank_hold(struct local_rank *held, struct error *error);

/* Call after MPI_Init, in which the ranks wait for each other. */
void local_rank_release(struct local_rank *held);
