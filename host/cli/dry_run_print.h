/* What a dry run found, on standard output. */
#pragma once

#include "host/job/dry_run.h"

/* As lines for people, or with `json` as one JSON object on a line. `out` is the folder. */
void dry_run_print(const struct dry_run_report *report, const char *out, bool json);
