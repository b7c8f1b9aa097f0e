/* Opens and closes everything that a run needs, for a run and for a dry run alike. */
#pragma once

#include <stdatomic.h>

#include "host/job/embed.h"
#include "host/job/inputs.h"
#include "host/job/missing_fields.h"
#include "host/job/old_runs.h"
#include "host/job/settings.h"
#include "host/model/tokenizer.h"
#include "io/run/job_lock.h"
#include "io/run/manifest.h"
#include "io/run/run_open.h"

/* Everything that a run holds open, lowest layer first. */
struct embedding {
  struct embed_options asked; /* the user's options, adjusted for this rank */
  const struct embed_options *options;
  const struct embed_callbacks *callbacks;
  const atomic_int *stop;
  struct embed_report *report;
  struct ranks *ranks;
  struct inputs inputs;      /* on rank 0 */
  struct byte_head head;     /* bytes taken from standard input before the flow starts */
  struct manifest *manifest; /* OUT's manifest before this run, or NULL */
  struct model *model;
  bool reads_weights; /* for the other ranks of its machine too */
  struct tokenizer *tokenizer;
  struct encoder *encoder;
  struct settings settings;
  struct job_lock *lock; /* on rank 0 */
  struct run_log *log;
  struct old_runs old; /* --reuse; the index is mapped if old.index is not NULL */
};

/* Opens everything that does not touch OUT. All ranks take each step together, so every rank knows if one
 * fails. The caller must call embedding_close, also after an error. */
bool embedding_prepare(struct embedding *run, struct error *error);

/* For a dry run, after embedding_prepare: false if the run itself would be refused, because OUT holds a run
 * of other settings or another model, or because --reuse names one. The shards in OUT are not compared. */
bool embedding_check(const struct embedding *run, struct error *error);

/* The same as embedding_prepare, and opens OUT. */
bool embedding_open(struct embedding *run, struct error *error);

void embedding_close(struct embedding *run);

/* Optional fields that no document of this run has (records do not tell of earlier ones). Valid while `run`
 * is open. */
struct missing_fields embedding_missing(const struct embedding *run);
