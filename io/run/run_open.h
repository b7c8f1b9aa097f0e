/* Starts and resumes a run, and ends its log. */
#pragma once

#include "io/run/identity.h"
#include "io/run/run_log.h"

enum run_mode { RUN_RESUME, RUN_APPEND, RUN_OVERWRITE };

/* What is to be run. Not owned. */
struct run_request {
  const struct run_identity *identity;
  const struct shard *shards;
  int32_t shard_count;
  enum run_mode mode;
  bool mixed; /* a run of several compute classes: that of the manifest need not agree, and is replaced */
};

/* Starts or resumes a run in OUT, which is made where missing; reads the records of all parts and drops those
 * whose files are missing or of another size. Refuses with ERROR_CONFLICT, saying what differs:
 * - RUN_RESUME: another identity, fewer or more shards, a shard whose size or fingerprint changed (unless
 *   its last part is incomplete: a repaired shard; its manifest entry is then renewed). A shard that only
 *   bears another path is the same shard.
 * - RUN_APPEND: another identity; a shard of the manifest is recognised by its path; shards that are new
 *   go to the end of the list.
 * - RUN_OVERWRITE: never; what an earlier run wrote (files of the layout, nothing else) is removed
 *   first, its manifest replaced. The manifest may be torn or lost, if OUT holds nothing but a run's files.
 * - any other mode: an OUT that holds files but no manifest.
 * - any mode: a link inside OUT (layout_check_links).
 * The manifest is a new run's first file. Temporary files of earlier jobs are removed, those of an earlier
 * version, beside their final names, too. */
struct run_log *run_log_open(const char *out, const struct run_request *request, struct error *error);

void run_log_close(struct run_log *log);
