/* Progress and summary of a run, for people and for machines, on standard error. */
#pragma once

#include "host/job/embed.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE, PROGRESS_LINES };

/* Choices of an option (host/cli/options.h): all of them but the last. */
extern const char *const progress_modes[];

struct progress {
  enum progress_mode mode; /* resolved */
  int64_t next;            /* CLOCK_MONOTONIC in ns: when to show the next state */
  bool bar_shown;
};

/* Returns what shows a run's states, each when it is time to, and prints its notices beside them; *progress
 * must last as long. AUTO is a bar on a terminal and a line every 10 s elsewhere; `quiet` is neither states
 * nor notices. */
struct embed_callbacks progress_begin(struct progress *progress, enum progress_mode mode, bool quiet);

/* Takes the bar off the terminal. */
void progress_clear(struct progress *progress);

/* The summary at the end of a run; `out` is the folder. Of a run that found all done only what OUT holds. */
void progress_summary(const struct progress *progress, const char *out, const struct embed_report *report);
