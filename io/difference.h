/* The differences between two sets of named values, as a phrase for people. */
#pragma once

#include "io/text.h"

struct difference {
  const char *then, *now; /* words after each value: "in the manifest", "now" */
  /* Appends the phrase's name for a path; NULL: the path itself. */
  void (*name)(struct text *text, const char *path);
  int count;        /* all differences; the phrase names only the first few */
  struct text text; /* "path: a <then>, b <now>; …" */
};

/* Compares two values, given as text; NULL is a missing value. */
void difference_add(struct difference *difference, const char *path, const char *then, const char *now);

/* Ends the phrase; if there were more differences than the phrase names, the phrase gives their number. Valid
 * until difference_free. NULL if memory is short. */
const char *difference_end(struct difference *difference);

void difference_free(struct difference *difference);
