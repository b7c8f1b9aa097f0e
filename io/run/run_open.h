/* Starts and resumes a run, and ends its log. */
#pragma once

#include "io/run/identity.h"
#include "io/run/run_log.h"

enum run_mode { RUN_RESUME, RUN_APPEND, RUN_OVERWRITE };

/* Removes what was made from a run's vectors, in the folder `results`, and syncs that. Called after the last
 * check that may refuse to remove the run, and before its first file is removed. So a refusal costs nothing,
 * and if the job dies at any moment, no result stands beside vectors that it was not made from. */
typedef bool results_remove_fn(const char *results, struct error *error);

/* A request for a run. Owns nothing. */
struct run_request {
  const struct run_identity *identity;
  const struct shard *shards;
  int32_t shard_count;
  enum run_mode mode;
  const char *results; /* with RUN_OVERWRITE; NULL: none */
  results_remove_fn *results_remove;
  bool mixed; /* several compute classes: the manifest's need not agree, and are replaced */
};

/* Starts or resumes a run in OUT; makes OUT if missing. Reads the records of all parts, and drops a part if a
 * file is missing or has another size. Removes temporary files of earlier jobs, also an earlier version's
 * beside their final names. The manifest is a new run's first file.
 *
 * Refuses with ERROR_CONFLICT, and says what differs:
 * - RUN_RESUME: another identity, fewer or more shards, a shard whose size or fingerprint changed (if a
 *   part of it is incomplete, the shard was repaired: its manifest entry is renewed instead). A shard with
 *   another path but the same content is the same shard.
 * - RUN_APPEND: another identity; a shard in the manifest is recognised in any spelling of its path, and by
 *   its content after it was moved (io/run/shard_match.h); new shards go to the end of the list. Also
 *   other shards than the list's standard input, if that was not read to its end.
 * - RUN_OVERWRITE: an OUT without a readable manifest that holds more than a run's files. An earlier run's
 *   files (those in the layout, no others) are removed first, and its manifest is replaced. The manifest may
 *   be torn or lost. Nothing is removed if a folder stands in the place of a run's file.
 * - any other mode: an OUT that holds files but no manifest.
 * - any mode: a link inside OUT (layout_check_links). */
struct run_log *run_log_open(const char *out, const struct run_request *request, struct error *error);

/* Removes the run in OUT, under its lock, and before that its results; a missing OUT is no error. Refuses as
 * RUN_OVERWRITE does. If the job dies meanwhile, OUT is still that run's with all its parts, or a run that
 * does not begin anew is refused there. */
bool run_remove(const char *out, const char *results, results_remove_fn *results_remove, struct error *error);

void run_log_close(struct run_log *log);
