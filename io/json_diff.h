/* What differs between two JSON values, in a phrase for people. */
#pragma once

#include <jansson.h>
#include <stdio.h>

struct json_diff {
  FILE *stream;           /* takes "path: a <then>, b <now>; …" */
  const char *then, *now; /* what stands after the values: "in the manifest", "now" */
  int count;              /* of differences; only the first few are printed */
  /* How a path is called in the phrase; NULL: as it is. */
  void (*name)(FILE *stream, const char *path);
};

/* Adds the differences between the values at `path`, going into objects that both have. */
void json_diff(struct json_diff *diff, const char *path, const json_t *then, const json_t *now);

/* Says how many more there were than were printed. */
void json_diff_end(struct json_diff *diff);
