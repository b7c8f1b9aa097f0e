/* OUT/manifest.json: what a run is, and, once it is finished, what it made. */
#pragma once

#include "io/run/identity.h"
#include "io/run/part_table.h"
#include "io/run/shard.h"
#include "io/run/totals.h"

enum manifest_state {
  MANIFEST_RUNNING,
  MANIFEST_COMPLETE,
  MANIFEST_INCOMPLETE, /* it was stopped, or a shard is damaged */
};

/* "running", "complete", "incomplete" */
const char *manifest_state_name(enum manifest_state state);

struct manifest_part {
  int32_t shard, block;
  int64_t rows;
};

struct manifest {
  char *version; /* of the program that began the run */
  enum manifest_state state;
  struct run_identity identity;
  struct shard_list shards;
  bool finished; /* the rest is there: it is written last */
  struct run_totals totals;
  struct manifest_part *parts; /* [part_count], by shard and block */
  int64_t part_count;
};

/* Writes it durably, through the job's folder (io/run/job_folder.h). A member a line, then a shard, a setting
 * or a part a line: to be read by people too. */
bool manifest_write(const char *job, const char *out, const struct manifest *manifest, struct error *error);

/* Reads it; *manifest is NULL, without an error, if OUT has none. To be freed by manifest_free. ERROR_INPUT
 * if it is no manifest, or one that a newer version wrote. A setting that an older version did not have means
 * its default. */
bool manifest_read(const char *out, struct manifest **manifest, struct error *error);

/* The same as text in memory, for another rank. *text is to be freed, and has a NUL after its end. */
bool manifest_print(const struct manifest *manifest, char **text, size_t *size, struct error *error);
bool manifest_parse(const char *text, size_t size, struct manifest **manifest, struct error *error);

void manifest_free(struct manifest *manifest);

/* Whether a finished manifest lists exactly the table's parts, with their rows. False with a sentence that
 * names the first difference. */
bool manifest_lists(const struct manifest *manifest, const struct part_table *table, struct error *error);

/* ERROR_CONFLICT, with what differs first, unless the manifest in OUT is of a run with this identity. */
bool manifest_check_identity(const char *out, const struct manifest *manifest,
                             const struct run_identity *identity, bool mixed, struct error *error);
