/* How far the rows of one run are from those of another. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct rows_compared {
  int64_t rows;
  double least, mean; /* cosine of a row of the one with the same row of the other; NaN counts as -1 */
};

/* Both are folders of vector files of one width (OUT/w1024), whose parts' names in order are the rows' order;
 * the parts need not be the same. */
bool rows_compare(const char *folder, const char *expected, struct rows_compared *compared,
                  struct error *error);
