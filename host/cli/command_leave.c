#include "host/cli/commands.h"
#include "host/cli/signals.h"
#include "host/cli/streams.h"

int command_leave(struct ranks *ranks, int status) {
  if (!ranks) return status;
  bool bound = false;
  if (ranks_size(ranks) > 1) {
    status = streams_close(status); /* first: after the wait a rank may end without the others */
    bool all;
    bound = ranks_wait(ranks, status == EXIT_DONE, &all);
    if (bound) signals_bound(status, ranks_rank(ranks) == 0, all);
  }
  ranks_close(ranks);
  if (bound) signals_unbound();
  return status;
}
