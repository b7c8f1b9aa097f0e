/* OUT/report.json: what an operator wants to know after a run. Rank 0 writes it at the end of each run; no
 * program reads it to go on, no row depends on it, and `nina verify` only knows its name.
 *
 * Totals, sizes, lengths and rejects are those of OUT as it is, summed over the commit records, so kills and
 * resumes leave no gap. What only a run knows (its time, its ranks) is an entry of "runs"; a run that was
 * killed leaves none. The keys are explained in io/run/README.md. */
#pragma once

#include "host/job/embedding.h"
#include "host/job/watch.h"

#define RUN_REPORT_RUNS 50         /* the latest runs that are kept */
#define RUN_REPORT_RANKS 512       /* ranks listed of each */
#define RUN_REPORT_REJECTS 1000000 /* bytes of rejects that are read for their reasons, about */

struct run_report {
  const struct embedding *run;
  const struct watch *watch;
  const char *state;           /* of OUT: "complete" or "incomplete" */
  const char *end;             /* of this run: "complete", "incomplete", "stopped" or "failed" */
  const struct error *failure; /* if it failed */
  int64_t started;             /* seconds since 1970 */
};

/* Writes the file. If this run changed nothing, and the file is about OUT as it is, leaves it alone. */
bool run_report_write(const struct run_report *report, struct error *error);
