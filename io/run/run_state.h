/* The content of a run log. Private to run_open.c, run_share.c and run_log.c. */
#pragma once

#include <pthread.h>

#include "io/error.h"
#include "io/run/manifest.h"
#include "io/run/part_table.h"
#include "io/run/run_log.h"
#include "io/run/shard_match.h"

struct run_log {
  char *out;
  char *job; /* the job's folder: io/run/job_folder.h */
  struct shard_list shards;
  char *version;                                      /* of the program that began the run */
  struct run_identity identity;                       /* not if attached */
  char moved[SENTENCE_BYTES], copies[SENTENCE_BYTES]; /* on shards of RUN_APPEND, or "" */
  bool attached;                                      /* not the rank that opened the run */
  bool resumed;
  bool finished; /* the manifest says "complete", and nothing has changed since */
  bool failed;   /* the run has failed, so that it is not complete even if no part is missing */
  pthread_mutex_t lock;
  struct part_table parts; /* under `lock` */
};

/* Makes an empty log. */
struct run_log *run_state_new(const char *out, struct error *error);

/* If a change in OUT has failed because this job's folder is gone, or OUT is, says so in *error. Returns
 * false. */
bool run_state_failed(const struct run_log *log, struct error *error);

/* Writes the manifest; unless the run is running, with totals and parts. */
bool run_state_save(struct run_log *log, enum manifest_state state, struct error *error);

/* Of a complete run: removes the files of parts that it does not have. A job that was killed while it took
 * parts back has left them, and readers that go by names would count their rows. What it removes, and what
 * was removed before, stays removed after a power loss. Looks at names only. */
bool run_state_tidy(const struct run_log *log, struct error *error);

/* Syncs the folder of records. */
bool run_state_sync(const struct run_log *log, struct error *error);

/* Removes a shard's parts from block `first` on, with their records, and syncs that. */
bool run_state_cut(struct run_log *log, int32_t shard, int32_t first, struct error *error);

/* The same for parts after the shard's last part, if that is known. An earlier reading of a longer shard left
 * them, or a rank that held the block after the last one when the shard changed. */
bool run_state_cut_end(struct run_log *log, int32_t shard, struct error *error);
