/* Prints the tables of `nina eval` to standard output. */
#pragma once

#include "host/job/eval_compare.h"

/* Prints the metrics of each width side by side, with the bytes per vector and the loss against the first
 * width. */
void eval_table_print(const struct eval_result *result);

/* Prints one line for each width narrower than the widest: its loss, the interval of the loss, and what the
 * width saves. */
bool eval_widths_print(const struct eval_result *result, struct error *error);

/* Prints the metrics of each width that changed by more than chance explains (with `all`: every metric),
 * with the interval of the difference. The heading names the two metrics.json files and the differences
 * between the two evaluations. */
void comparison_print(const struct comparison *comparison, const char *before, const char *after, bool all);
