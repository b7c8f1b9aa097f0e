/* What a run log holds. Private to the files that make it: run_open.c, run_share.c and run_log.c. */
#pragma once

#include <pthread.h>

#include "io/run/manifest.h"
#include "io/run/part_table.h"
#include "io/run/run_log.h"

struct run_log {
  char *out;
  char *job; /* its folder: io/run/job_folder.h */
  struct shard_list shards;
  char *version;                /* of the program that began the run */
  struct run_identity identity; /* of a log that is not attached */
  bool attached;                /* of another rank than the one that opened the run */
  bool resumed;
  bool finished; /* the manifest says "complete", and nothing has changed since */
  pthread_mutex_t lock;
  struct part_table parts; /* under `lock` */
};

/* An empty one. */
struct run_log *run_state_new(const char *out, struct error *error);

/* Where a change of OUT has failed because another job has begun: says so in *error. Returns false. */
bool run_state_failed(const struct run_log *log, struct error *error);

/* Writes the manifest; with totals and parts, unless the run is running. */
bool run_state_save(struct run_log *log, enum manifest_state state, struct error *error);

/* Removes the parts of a shard from block `first` on, with their records. */
bool run_state_cut(struct run_log *log, int32_t shard, int32_t first, struct error *error);

/* The same for what an earlier, longer reading left after the part that is now known to be the shard's last.
 */
bool run_state_cut_end(struct run_log *log, int32_t shard, struct error *error);
