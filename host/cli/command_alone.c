#include "host/cli/commands.h"
#include "host/ranks/world.h"

bool command_alone(const char *what, int *status) {
  struct error error;
  int32_t rank, size;
  *status = EXIT_DONE;
  world_told(&rank, &size);
  if (size > 1 && rank == 0) {
    error_set(&error, ERROR_USAGE, "%s works in one process, and %d were started: start it without mpirun",
              what, size);
    *status = command_fail(&error);
  }
  return size == 1;
}
