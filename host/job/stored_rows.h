/* Chosen rows of a stored run in memory, widened to fp32, at several widths. */
#pragma once

#include "host/job/stored_run.h"

/* rows[w] [count, widths[w]] fp32 of the run's rows chosen [count], which rise. Each width is derived from
 * the widest (host/model/widths.h), so it need not be stored; it is at most that wide. rows[w] are allocated;
 * the caller frees them, after a failure too (those not reached are NULL). */
bool stored_rows_read(const struct stored_run *run, const int64_t *chosen, int64_t count, int32_t width_count,
                      const int32_t *widths, float **rows, struct error *error);
