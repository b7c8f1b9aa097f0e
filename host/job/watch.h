/* The main thread's work while a job runs: each rank watches its own pipeline, and rank 0 watches all. */
#pragma once

#include "host/job/embed.h"
#include "host/job/throughput.h"
#include "host/ranks/ranks.h"

struct watch {
  struct ranks *ranks;
  struct flow *flow; /* NULL when the flow has ended */
  const struct embed_callbacks *callbacks;
  const atomic_int *stop;
  struct embed_report *report; /* the watch updates status, interrupted and, on rank 0, damaged_shards */
  int64_t grace;               /* ns */

  /* private to the watch; zero before use */
  struct flow_progress flow_last; /* this rank's progress */
  struct throughput throughput;   /* on rank 0: of all ranks */
  int32_t damaged;                /* damaged shards on this rank */
  int64_t deadline;               /* when to drop blocks in flight; 0: no stop requested */
  int64_t next_show, next_report;
  bool stopped;
};

/* Returns when this rank's pipeline has ended. False if the rank cannot go on (ranks_serve). */
bool watch_flow(struct watch *watch, struct error *error);

/* Returns when all ranks' pipelines have ended. Call ranks_leave first, to report this rank's outcome. */
bool watch_others(struct watch *watch, struct error *error);

/* A rank's last progress, as rank 0 knows it. False if it has not reported any. */
bool watch_rank(const struct watch *watch, int32_t rank, struct flow_progress *progress);

/* Reports this rank's progress to rank 0. */
bool watch_report(struct watch *watch, struct error *error);
