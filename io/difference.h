/* What differs between two things that have named values, in a phrase for people. */
#pragma once

#include "io/text.h"

struct difference {
  const char *then, *now; /* what stands after the values: "in the manifest", "now" */
  /* How a value's path is called in the phrase; NULL: as it is. */
  void (*name)(struct text *text, const char *path);
  int count;        /* of differences; only the first few are in the phrase */
  struct text text; /* "path: a <then>, b <now>; …" */
};

/* Compares two values, given as text; NULL is a value that is not there. */
void difference_add(struct difference *difference, const char *path, const char *then, const char *now);

/* Ends the phrase, which says how many more there were than it names. Valid until the difference is freed;
 * NULL when memory is short. */
const char *difference_end(struct difference *difference);

void difference_free(struct difference *difference);
