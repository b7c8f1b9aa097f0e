/* Prints a dry run's result to standard output. */
#pragma once

#include "host/job/dry_run.h"

/* Prints lines for people, or with `json` one JSON object on one line. `out` is the folder. */
void dry_run_print(const struct dry_run_report *report, const char *out, bool json);
