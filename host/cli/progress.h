/* Progress and summary of a run, for people and for machines, on standard error. */
#pragma once

#include "host/job/embed.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE, PROGRESS_LINES };

struct progress {
  enum progress_mode mode; /* resolved */
  int64_t next;            /* CLOCK_MONOTONIC in ns: when to show the next state */
  bool bar_shown;
};

/* AUTO is a bar on a terminal and a line every 10 s elsewhere. */
void progress_init(struct progress *progress, enum progress_mode mode);

/* Shows a state, when it is time to. */
void progress_show(struct progress *progress, const struct embed_status *status);

/* Prints a sentence beside the display. */
void progress_notice(struct progress *progress, const char *sentence);

/* Takes the bar off the terminal. */
void progress_clear(struct progress *progress);

/* The summary at the end of a run; `out` is the folder. Of a run that found all done only what OUT holds. */
void progress_summary(const struct progress *progress, const char *out, const struct embed_report *report);
