/* `--where`: the rows of a run whose kept fields fulfil all conditions (io/field_condition.h). */
#pragma once

#include "host/job/stored_run.h"
#include "host/retrieval/row_filter.h"

/* Reads all of OUT/fields, once, and fills *filter, which the caller frees (also after a failure). One bit a
 * row. ERROR_USAGE if a condition is wrong, or if the run keeps no fields. */
bool where_rows(const struct stored_run *run, const char *const *condition, int32_t count,
                struct row_filter *filter, struct error *error);
