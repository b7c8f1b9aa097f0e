/* Watching the pipeline of a rank, and from rank 0 those of all: the main thread's work while a job runs. */
#pragma once

#include "host/job/embed.h"
#include "host/ranks/ranks.h"

struct watch {
  struct ranks *ranks;
  struct flow *flow; /* NULL once it has ended */
  const struct embed_callbacks *callbacks;
  const atomic_int *stop;
  struct embed_report *report; /* status, interrupted and, on rank 0, damaged_shards are kept up to date */
  int64_t grace;               /* ns */

  /* the watch's own; zeroed at first */
  struct flow_progress flow_last; /* of this rank */
  int32_t damaged;                /* shards, of this rank */
  int64_t deadline;               /* when what is in flight is dropped; 0: no stop was asked for */
  int64_t next_show, next_report;
  bool stopped;
};

/* Until this rank's pipeline has ended. False where the rank cannot go on (ranks_serve). */
bool watch_flow(struct watch *watch, struct error *error);

/* Until those of all ranks have; what this one came to must have been told by ranks_leave. */
bool watch_others(struct watch *watch, struct error *error);

/* Tells rank 0 how far this rank has come. */
bool watch_report(struct watch *watch, struct error *error);
