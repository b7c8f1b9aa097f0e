#include <string.h>

#include "host/cli/commands.h"
#include "io/text.h"

#define WAY_NAMED 300 /* bytes of a way in the sentence */

/* Ranks with different ways would wait for each other forever; of different folders only rank 0's would
 * count. */
static bool ways_agree(struct ranks *ranks, const char *way, struct error *error) {
  char **ways = NULL;
  if (!ranks_gather(ranks, way, &ways, error)) return false;
  int32_t other = 0;
  for (int32_t i = 1; i < ranks_size(ranks) && other == 0; i++)
    if (strcmp(ways[i], ways[0]) != 0) other = i;
  if (other > 0)
    error_set(error, ERROR_USAGE,
              "rank %d was started with nina %.*s and rank 0 with nina %.*s: start all of them with the same",
              other, (int)text_cut(ways[other], strlen(ways[other]), WAY_NAMED), ways[other],
              (int)text_cut(ways[0], strlen(ways[0]), WAY_NAMED), ways[0]);
  ranks_texts_free(ranks, ways);
  return other == 0;
}

/* The way and the places as one text. */
static bool way_print(const char *way, const char *const *places, struct text *text, struct error *error) {
  text_append_string(text, way);
  for (; places && *places; places++) {
    text_append_string(text, " ");
    text_append_string(text, *places);
  }
  text_append(text, "", 1);
  return !text->failed || error_set_memory(error, text->size, "the arguments");
}

struct ranks *command_join(bool parsed, const char *way, const char *const *places, struct error *error,
                           int *status) {
  struct error alone;
  struct text text = {0};
  struct ranks *ranks = ranks_open(&alone);
  if (!ranks) {
    *status = command_fail(parsed ? &alone : error);
    return NULL;
  }
  *status = EXIT_DONE;
  const bool joined = ranks_agree(ranks, parsed && way_print(way, places, &text, error), error) &&
                      ways_agree(ranks, text.bytes, error);
  text_free(&text);
  if (joined) return ranks;
  if (ranks_rank(ranks) == 0) *status = command_fail(error);
  *status = command_leave(ranks, *status);
  return NULL;
}
