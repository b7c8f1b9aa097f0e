/* Prints a run's progress and summary to standard error, for people and for programs. */
#pragma once

#include "host/job/embed.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE, PROGRESS_LINES };

/* An option's choices (host/cli/options.h): all modes but the last. */
extern const char *const progress_modes[];

struct progress {
  enum progress_mode mode; /* resolved */
  int64_t next;            /* time to show the next state, CLOCK_MONOTONIC in ns */
  bool bar_shown;
};

/* Returns callbacks that show a run's state at intervals, and print its notices. *progress must live as long
 * as the callbacks are used. AUTO shows a bar on a terminal, and elsewhere one line every 10 s. If `quiet`,
 * neither states nor notices are shown. */
struct embed_callbacks progress_begin(struct progress *progress, enum progress_mode mode, bool quiet);

/* Removes the bar from the terminal. */
void progress_clear(struct progress *progress);

/* Prints a run's last lines, the summary; `out` is the folder. If there was nothing left to do, the summary
 * describes only what OUT contains. */
void progress_summary(const struct progress *progress, const char *out, const struct embed_report *report);
