/* The earlier runs that a run copies rows from (`--reuse`). Rank 0 opens and checks them and builds one
 * index; the other ranks only map it. */
#pragma once

#include "host/flow/reuse.h"
#include "host/job/embed.h"
#include "io/run/manifest.h"
#include "io/run/row_index.h"

/* A zeroed struct is closed. */
struct old_runs {
  struct index_source *source; /* [count] */
  struct manifest **manifest;  /* [count] */
  struct file_stamp *stamp;    /* [count] of their manifest.json */
  int32_t count;
  struct row_index *index;
  struct reuse reuse;
  bool reuse_begun;
};

/* Opens the runs at `paths` [count]. Refuses, with a sentence: a folder that is no run's; OUT itself; a run
 * that has no hashes; a run that another job is writing. Changes nothing. */
bool old_runs_open(struct old_runs *runs, const char *const *paths, int32_t count, const char *out,
                   struct error *error);
void old_runs_close(struct old_runs *runs);

/* ERROR_CONFLICT, with what differs, if the rows of a run are not those that this one would make: another
 * model, another compute class (on CPUs batch_tokens does not count), another widest width. */
bool old_runs_check(const struct old_runs *runs, const struct run_identity *identity, struct error *error);

/* What stands for the runs in a compute class in which a row depends on its batch. */
bool old_runs_fingerprint(const struct old_runs *runs, char hash[33], struct error *error);

/* Builds the index in the job's folder. *sentence [size] says for people what it holds. */
bool old_runs_index(const struct old_runs *runs, const char *job_folder, char *sentence, size_t size,
                    struct error *error);

/* Maps the index in the job's folder; afterwards runs->reuse can be given to a flow. Any rank. `strict` as in
 * struct reuse. */
bool old_runs_map(struct old_runs *runs, const char *job_folder, bool strict, struct error *error);
