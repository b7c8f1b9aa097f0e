/* The tables of `nina eval`, on standard output. */
#pragma once

#include "host/job/eval_compare.h"

/* Metrics by width, widths side by side with bytes per vector and what each loses against the first. */
void eval_table_print(const struct eval_result *result);

/* A line for each width narrower than the widest: what it loses, with its interval, and what it saves. */
bool eval_widths_print(const struct eval_result *result, struct error *error);

/* What moved at each width further than chance explains (`all`: every metric), with the interval of the
 * difference, under the names of the two metrics.json and what the evaluations differ in. */
void comparison_print(const struct comparison *comparison, const char *before, const char *after, bool all);
