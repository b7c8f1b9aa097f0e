/* OUT/manifest.json: written, read, and compared with the run that wants to go on. Private to the run log. */
#pragma once

#include <jansson.h>

#include "io/run/part_table.h"
#include "io/run/run_open.h"
#include "io/run/shard.h"

struct manifest {
  const char *version; /* of the program that began the run */
  const char *state;   /* "running", "complete", "incomplete" */
  const json_t *model, *settings, *compute_class;
  struct shard_list shards;
  const struct part_table *parts; /* NULL while running: totals and the list of parts come last */
};

/* Writes it durably, through the job's folder (io/run/job_folder.h). A member a line, then a shard, a setting
 * or a part a line: to be read by people too. */
bool manifest_write(const char *job, const char *out, const struct manifest *manifest, struct error *error);

/* Reads OUT/manifest.json. *manifest is NULL, without an error, where there is none. The caller owns the
 * reference. */
bool run_log_manifest(const char *out, json_t **manifest, struct error *error);

/* Appends the shards of a manifest that run_log_manifest read. */
bool manifest_shards(const json_t *manifest, struct shard_list *list, struct error *error);

/* ERROR_CONFLICT with the first differences in model, settings and compute class. */
bool manifest_check_identity(const char *out, const json_t *manifest, const struct run_identity *identity,
                             struct error *error);
