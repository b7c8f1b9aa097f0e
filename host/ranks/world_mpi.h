/* A world over MPI. Built where MPI is (NINA_MPI). */
#pragma once

#include "host/ranks/world.h"

bool world_mpi_open(struct world **world, struct error *error);

/* As world_library. */
void world_mpi_library(char text[WORLD_LIBRARY_MAX]);
