#include "host/cli/commands.h"

bool command_alone(const char *what, int *status) {
  struct error error;
  struct ranks *ranks = ranks_open(&error);
  *status = EXIT_DONE;
  if (!ranks) {
    *status = command_fail(&error);
    return false;
  }
  const int size = ranks_size(ranks);
  if (size > 1 && ranks_rank(ranks) == 0) {
    error_set(&error, ERROR_USAGE, "%s works in one process, and %d were started: start it without mpirun",
              what, size);
    *status = command_fail(&error);
  }
  *status = command_leave(ranks, *status);
  return size == 1 && *status == EXIT_DONE;
}
