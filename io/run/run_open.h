/* Starts and resumes a run, and ends its log. */
#pragma once

#include <jansson.h>

#include "io/run/run_log.h"

/* What makes two runs the same run: all of it must agree for a resume. The JSON values are objects of
 * scalars, arrays or objects; a difference is reported by its key and both values. Not owned. */
struct run_identity {
  json_t *model;    /* name, hashes of weights and tokenizer */
  json_t *settings; /* every resolved setting that changes the bytes that come out; its keys are the names of
                       their options, with _ for - */
  json_t *compute_class; /* encoder, precision, instruction set or GPU, library versions */
  bool mixed; /* a run of several compute classes: that of the manifest need not agree, and is replaced */
  const struct shard *shards;
  int32_t shard_count;
};

enum run_mode { RUN_RESUME, RUN_APPEND, RUN_OVERWRITE };

/* Starts or resumes a run in OUT, which is made where missing; reads the records of all parts and drops those
 * whose files are missing or of another size. Refuses with ERROR_CONFLICT, saying what differs:
 * - RUN_RESUME: another identity, fewer or more shards, a shard whose size or fingerprint changed (unless
 *   its last part is incomplete: a repaired shard; its manifest entry is then renewed). A shard that only
 *   bears another path is the same shard.
 * - RUN_APPEND: another identity; a shard of the manifest is recognised by its path; shards that are new
 *   go to the end of the list.
 * - RUN_OVERWRITE: never; what an earlier run wrote (files of the layout, nothing else) is removed
 *   first, its manifest replaced.
 * - any mode: an OUT that holds files but no manifest.
 * The manifest is a new run's first file. Temporary files of earlier jobs are removed, those of an earlier
 * version, beside their final names, too. */
struct run_log *run_log_open(const char *out, const struct run_identity *identity, enum run_mode mode,
                             struct error *error);

void run_log_close(struct run_log *log);
