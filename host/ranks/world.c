#include "host/ranks/world.h"

#include <stdlib.h>

#include "host/ranks/world_mpi.h"

/* Each launcher sets one of these for the processes that it starts: Open MPI's, Hydra's (MPICH, Intel MPI),
 * and PMIx, which Slurm's srun and others use. */
static const char *const launcher_variables[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK"};

static const char *launcher_variable(void) {
  for (size_t i = 0; i < sizeof launcher_variables / sizeof *launcher_variables; i++)
    if (getenv(launcher_variables[i])) return launcher_variables[i];
  return NULL;
}

/* A launcher's number for this process; -1: it tells none. */
static int32_t told(const char *variable) {
  const char *text = getenv(variable);
  char *end;
  const long number = text ? strtol(text, &end, 10) : -1;
  return text && end > text && !*end && number >= 0 && number < INT32_MAX ? (int32_t)number : -1;
}

int32_t world_told_size(void) {
  /* Open MPI's, Hydra's, and Slurm's beside PMIx, which tells the rank alone. */
  static const char *const pairs[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                         {"PMI_RANK", "PMI_SIZE"},
                                         {"PMIX_RANK", "SLURM_STEP_NUM_TASKS"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    const int32_t rank = told(pairs[i][0]), size = told(pairs[i][1]);
    if (rank >= 0) return size > rank ? size : rank + 1;
  }
  return 1;
}

bool world_open(struct world **world, struct error *error) {
  *world = NULL;
  const char *variable = launcher_variable();
  if (!variable) return true;
#ifdef NINA_MPI
  return world_mpi_open(world, error);
#else
  if (strtol(getenv(variable), NULL, 10) <= 1 && variable == launcher_variables[0]) return true;
  return error_set(error, ERROR_USAGE,
                   "a launcher started this (%s is set), and this nina was built without MPI: build with "
                   "-DNINA_MPI=ON, or start it by itself",
                   variable);
#endif
}

bool world_library(char text[WORLD_LIBRARY_MAX]) {
#ifdef NINA_MPI
  world_mpi_library(text);
  return true;
#else
  *text = '\0';
  return false;
#endif
}
