#include "host/cli/commands.h"
#include "host/cli/signals.h"
#include "host/cli/streams.h"

int command_leave(struct ranks *ranks, int status) {
  if (!ranks) return status;
  const bool many = ranks_size(ranks) > 1;
  if (many) {
    ranks_wait(ranks);
    status = streams_close(status);
    signals_bound(status, ranks_rank(ranks) == 0);
  }
  ranks_close(ranks);
  if (many) signals_unbound();
  return status;
}
