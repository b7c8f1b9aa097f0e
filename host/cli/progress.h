/* Prints the progress and the summary of a run to standard error, for people and for programs. */
#pragma once

#include "host/job/embed.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE, PROGRESS_LINES };

/* Choices of an option (host/cli/options.h): all modes but the last. */
extern const char *const progress_modes[];

struct progress {
  enum progress_mode mode; /* resolved */
  int64_t next;            /* CLOCK_MONOTONIC in ns: time of the next state to show */
  bool bar_shown;
};

/* Returns callbacks that show the states of a run at intervals, and print its notices. *progress must live
 * as long as the callbacks are used. AUTO shows a bar on a terminal, and elsewhere one line every 10 s. If
 * `quiet`, neither states nor notices are shown. */
struct embed_callbacks progress_begin(struct progress *progress, enum progress_mode mode, bool quiet);

/* Removes the bar from the terminal. */
void progress_clear(struct progress *progress);

/* Prints the summary at the end of a run; `out` is the folder. If there was nothing left to do, the summary
 * describes only the contents of OUT. */
void progress_summary(const struct progress *progress, const char *out, const struct embed_report *report);
