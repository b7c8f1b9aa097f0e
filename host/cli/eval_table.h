/* Prints `nina eval`'s tables to standard output. */
#pragma once

#include "host/job/eval_compare.h"

/* Prints each width's metrics side by side, with the bytes per vector and the loss against the first
 * width. */
void eval_table_print(const struct eval_result *result);

/* Prints one line for each width narrower than the widest: its loss, the loss's confidence interval, and what
 * the width saves. */
bool eval_widths_print(const struct eval_result *result, struct error *error);

/* Compares two evaluations, width by width. Prints each metric that changed by more than chance explains
 * (with `all`: every metric), with the difference's confidence interval. The heading names the two
 * metrics.json files and how the two evaluations differ. */
void comparison_print(const struct comparison *comparison, const char *before, const char *after, bool all);
