#include "host/cli/commands.h"

struct ranks *command_join(bool parsed, struct error *error, int *status) {
  struct error alone;
  struct ranks *ranks = ranks_open(&alone);
  if (!ranks) {
    *status = command_fail(parsed ? &alone : error);
    return NULL;
  }
  *status = EXIT_DONE;
  if (ranks_agree(ranks, parsed, error)) return ranks;
  if (ranks_rank(ranks) == 0) *status = command_fail(error);
  ranks_close(ranks);
  return NULL;
}
