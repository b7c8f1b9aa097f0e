/* OUT/manifest.json: the identity of a run and, once it has finished, its result. */
#pragma once

#include "io/file.h"
#include "io/run/identity.h"
#include "io/run/part_table.h"
#include "io/run/shard.h"
#include "io/run/totals.h"

enum manifest_state {
  MANIFEST_RUNNING,
  MANIFEST_COMPLETE,
  MANIFEST_INCOMPLETE, /* the run was stopped, or a shard is damaged */
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
  bool finished; /* the members below are known (written last) */
  struct run_totals totals;
  struct manifest_part *parts; /* [part_count], by shard and block */
  int64_t part_count;
};

/* Writes the manifest durably, through the job's folder (io/run/job_folder.h). People read it too, so each
 * member, shard, setting and part has its own line. */
bool manifest_write(const char *job, const char *out, const struct manifest *manifest, struct error *error);

/* Reads the manifest; free it with manifest_free. If OUT has none, *manifest is NULL, without an error.
 * ERROR_INPUT if it is not a manifest, or if a newer version wrote it. If an older version lacked a setting,
 * the setting has its default. */
bool manifest_read(const char *out, struct manifest **manifest, struct error *error);

/* The same of a folder that should be a run's. ERROR_USAGE if it is no folder, ERROR_CONFLICT if something in
 * it is a link (layout_check_links), ERROR_INPUT if it has no manifest. */
bool manifest_read_run(const char *out, struct manifest **manifest, struct error *error);

/* Tells OUT's manifest from another one that takes its place later. Without a manifest the size is -1. */
bool manifest_stamp(const char *out, struct file_stamp *stamp, struct error *error);

/* The manifest as text in memory, for another rank. The caller frees *text, which has a NUL after its end. */
bool manifest_print(const struct manifest *manifest, char **text, size_t *size, struct error *error);
bool manifest_parse(const char *text, size_t size, struct manifest **manifest, struct error *error);

void manifest_free(struct manifest *manifest);

/* True if a finished manifest lists exactly the table's parts with their rows. If not, the sentence names the
 * first difference. */
bool manifest_lists(const struct manifest *manifest, const struct part_table *table, struct error *error);

/* Whether OUT, whose manifest was `then` earlier, can still hold the same run, which may have gone on since.
 * Not known, so false, of standard input. Two runs of shards with the same fingerprints have equal manifests,
 * so ask about a part's record too (host/job/stored_run.c). False with an error if the manifest cannot be
 * read. */
bool manifest_goes_on(const char *out, const struct manifest *then, bool *same, struct error *error);

/* ERROR_CONFLICT, with the first differences, if the manifest in OUT has another identity. */
bool manifest_check_identity(const char *out, const struct manifest *manifest,
                             const struct run_identity *identity, bool mixed, struct error *error);
