/* A world over MPI. Built only with NINA_MPI. */
#pragma once

#include "host/ranks/world.h"

bool world_mpi_open(struct world **world, struct error *error);

/* Like world_library. */
void world_mpi_library(char text[WORLD_LIBRARY_MAX]);
