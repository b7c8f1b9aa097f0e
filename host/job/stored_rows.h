/* Loads chosen rows of a stored run, widened to fp32, at several widths. */
#pragma once

#include "host/job/stored_run.h"

/* chosen [count] row numbers, rising
 * rows[w] [count, widths[w]] fp32
 *
 * Each width derives from the run's widest (host/model/widths.h): a width need not be stored, but must not be
 * larger. Allocates rows[w]; the caller frees them, also after a failure (unused ones are NULL). */
bool stored_rows_read(const struct stored_run *run, const int64_t *chosen, int64_t count, int32_t width_count,
                      const int32_t *widths, float **rows, struct error *error);
