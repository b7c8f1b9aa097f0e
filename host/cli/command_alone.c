#include "host/cli/commands.h"
#include "host/ranks/world.h"

bool command_alone(const char *what, int *status) {
  struct error error;
  *status = EXIT_DONE;
  if (world_told_size() == 1) return true;
  error_set(&error, ERROR_USAGE,
            "%s works in one process, and a launcher has started several: start it without mpirun", what);
  *status = command_fail(&error);
  return false;
}
