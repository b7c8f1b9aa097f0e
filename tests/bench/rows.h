/* How far one run's rows are from another run's rows. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct rows_compared {
  int64_t rows;
  double least, mean; /* cosine between a row in one run and the same row in the other; NaN counts as -1 */
};

/* Both are folders with vector files at one width (OUT/w1024). The parts, sorted by name, give the row order.
 * The two folders may cut the rows into different parts. */
bool rows_compare(const char *folder, const char *expected, struct rows_compared *compared,
                  struct error *error);
