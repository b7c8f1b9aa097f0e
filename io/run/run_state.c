#include "io/run/run_state.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "io/folder.h"
#include "io/look.h"
#include "io/run/job_folder.h"
#include "io/run/layout.h"
#include "io/run/record.h"

struct run_log *run_state_new(const char *out, struct error *error) {
  struct run_log *log = calloc(1, sizeof *log);
  if (!log || !(log->out = strndup(out, file_path_length(out)))) {
    error_set_memory(error, sizeof *log, "the log of a run");
    free(log);
    return NULL;
  }
  pthread_mutex_init(&log->lock, NULL);
  return log;
}

bool run_state_failed(const struct run_log *log, struct error *error) {
  struct look look;
  struct error unused;
  if (job_folder_stands(log->job)) return false;
  if (look_at(log->out, &look, &unused) && look.kind == LOOK_NOTHING)
    return error_set(error, ERROR_IO,
                     "%s was removed or moved while this job wrote to it: start again; if it was moved, pass "
                     "its new path as --out",
                     log->out);
  return error_set(
      error, ERROR_CONFLICT,
      "another job has begun in %s since, or somebody removed this one's folder %s, so this one can "
      "write nothing there any more: leave %s to the other job, or if there is none, start the same "
      "command again (without --overwrite)",
      log->out, strrchr(log->job, '/') + 1, log->out);
}

/* Lists the table's parts for the manifest. */
static bool parts_list(const struct part_table *table, struct manifest *manifest, struct error *error) {
  const size_t bytes = ((size_t)part_table_count(table) + 1) * sizeof *manifest->parts;
  manifest->parts = malloc(bytes);
  if (!manifest->parts) return error_set_memory(error, bytes, "the list of parts");
  for (int32_t shard = 0; shard < table->shard_count; shard++)
    for (int32_t p = 0; p < table->shard[shard].count; p++) {
      const struct part *part = table->shard[shard].part[p];
      manifest->parts[manifest->part_count++] =
          (struct manifest_part){shard, part->border.index, part->sums.rows};
    }
  return true;
}

bool run_state_save(struct run_log *log, enum manifest_state state, struct error *error) {
  /* All except the list of parts belongs to the log. */
  struct manifest manifest = {.version = log->version,
                              .state = state,
                              .identity = log->identity,
                              .shards = log->shards,
                              .finished = state != MANIFEST_RUNNING,
                              .totals = log->parts.totals};
  if (manifest.finished && !parts_list(&log->parts, &manifest, error)) return false;
  const bool ok = manifest_write(log->job, log->out, &manifest, error) || run_state_failed(log, error);
  free(manifest.parts);
  return ok;
}

/* Whether a part of the run has a file in this folder: a part without rejects has none in rejects/. */
static bool part_has(const struct run_log *log, const char *folder, int32_t shard, int32_t block) {
  const struct part *part = part_table_find(&log->parts, shard, block);
  enum folder kind;
  return part && layout_folder_find(folder, &kind) && (kind != FOLDER_REJECTS || part->sums.rejected > 0);
}

static bool entry_tidy(void *context, const char *path, const char *folder, const char *name,
                       struct error *error) {
  const struct run_log *log = context;
  int32_t shard, block;
  return !part_name_parse(folder, name, &shard, &block) || part_has(log, folder, shard, block) ||
         job_folder_discard(log->job, log->out, path, error);
}

static bool folder_sync(const struct run_log *log, const char *name, struct error *error) {
  char *path = file_join(log->out, name);
  const bool ok = path ? file_sync_folder(path, error) : error_set_memory(error, PATH_MAX, "a path");
  free(path);
  return ok;
}

static bool entry_sync(void *context, const char *name, struct error *error) {
  enum folder folder;
  return !layout_folder_find(name, &folder) || folder_sync(context, name, error);
}

bool run_state_tidy(const struct run_log *log, struct error *error) {
  void *context = (void *)(uintptr_t)log;
  return (layout_visit(log->out, entry_tidy, context, error) || run_state_failed(log, error)) &&
         folder_visit(log->out, entry_sync, context, error);
}

bool run_state_sync(const struct run_log *log, struct error *error) {
  return folder_sync(log, RECORD_FOLDER, error);
}

/* Removes the incomplete parts from `place` on, or the others, in their order. A record that is gone was
 * removed by another rank of the job. */
static bool parts_remove(struct run_log *log, int32_t shard, int32_t place, bool incomplete,
                         struct error *error) {
  const struct shard_parts *list = &log->parts.shard[shard];
  const int32_t count = list->count;
  while (place < list->count) {
    const int32_t block = list->part[place]->border.index;
    struct part_record record;
    if (list->part[place]->border.incomplete != incomplete) {
      place++;
      continue;
    }
    if (record_read(log->out, shard, block, &record, error)) {
      if (!record_remove(log->job, log->out, &record, error)) return run_state_failed(log, error);
    } else if (error->code != ERROR_INPUT &&
               (record_exists(log->out, shard, block) || !job_folder_stands(log->job))) {
      return run_state_failed(log, error);
    }
    part_table_remove(&log->parts, shard, block);
  }
  return list->count == count || run_state_sync(log, error);
}

/* As long as one part is incomplete, a start compares the shard's blocks with its parts. So if this job dies
 * here, the next one finds again what was to go: the incomplete part goes last. */
bool run_state_cut(struct run_log *log, int32_t shard, int32_t first, struct error *error) {
  const int32_t place = part_table_place(&log->parts.shard[shard], first);
  return parts_remove(log, shard, place, false, error) && parts_remove(log, shard, place, true, error);
}

bool run_state_cut_end(struct run_log *log, int32_t shard, struct error *error) {
  const int32_t blocks = log->parts.shard[shard].blocks;
  return blocks < 0 || run_state_cut(log, shard, blocks, error);
}
