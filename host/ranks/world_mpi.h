/* A world over MPI. Built where MPI is (NINA_MPI). */
#pragma once

#include "host/ranks/world.h"

bool world_mpi_open(struct world **world, struct error *error);
