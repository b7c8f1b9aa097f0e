/* The tables of `nina eval`, on standard output. */
#pragma once

#include "host/job/eval_compare.h"

/* Metrics by width, widths side by side with bytes per vector and what each loses against the first. */
void eval_table_print(const struct eval_result *result);

/* What moved at each width, with the interval of the difference, under the names of the two metrics.json and
 * what the evaluations differ in. */
void comparison_print(const struct comparison *comparison, const char *before, const char *after);
