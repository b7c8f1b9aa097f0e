#include <string.h>

#include "host/cli/commands.h"

/* Ranks with different ways would wait for each other forever. */
static bool ways_agree(struct ranks *ranks, const char *way, struct error *error) {
  char **ways = NULL;
  if (!ranks_gather(ranks, way, &ways, error)) return false;
  int32_t other = 0;
  for (int32_t i = 1; i < ranks_size(ranks) && other == 0; i++)
    if (strcmp(ways[i], ways[0]) != 0) other = i;
  if (other > 0)
    error_set(error, ERROR_USAGE,
              "rank %d was started with nina %s and rank 0 with nina %s: start all of them with the same",
              other, ways[other], ways[0]);
  ranks_texts_free(ranks, ways);
  return other == 0;
}

struct ranks *command_join(bool parsed, const char *way, struct error *error, int *status) {
  struct error alone;
  struct ranks *ranks = ranks_open(&alone);
  if (!ranks) {
    *status = command_fail(parsed ? &alone : error);
    return NULL;
  }
  *status = EXIT_DONE;
  if (ranks_agree(ranks, parsed, error) && ways_agree(ranks, way, error)) return ranks;
  if (ranks_rank(ranks) == 0) *status = command_fail(error);
  *status = command_leave(ranks, *status);
  return NULL;
}
