#include "io/run/run_log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/run/job_folder.h"
#include "io/run/layout.h"
#include "io/run/record.h"
#include "io/run/run_state.h"
#include "io/text.h"

const struct shard *run_log_shards(const struct run_log *log, int32_t *count) {
  *count = log->shards.count;
  return log->shards.shard;
}

const char *run_log_moved(const struct run_log *log) {
  return log->moved;
}

const char *run_log_copies(const struct run_log *log) {
  return log->copies;
}

const char *run_log_job_folder(const struct run_log *log) {
  return log->job;
}

bool run_log_resumed(const struct run_log *log) {
  return log->resumed;
}

/* A lookup changes nothing but the lock, hence the cast. */
static void log_lock(const struct run_log *log) {
  pthread_mutex_lock((pthread_mutex_t *)&log->lock);
}

static void log_unlock(const struct run_log *log) {
  pthread_mutex_unlock((pthread_mutex_t *)&log->lock);
}

const struct block_border *run_log_part(const struct run_log *log, int32_t shard, int32_t block) {
  log_lock(log);
  const struct part *part = part_table_find(&log->parts, shard, block);
  const struct block_border *border = part && !part->border.incomplete ? &part->border : NULL;
  log_unlock(log);
  return border;
}

bool run_log_border(const struct run_log *log, int32_t shard, int32_t block, struct block_border *border) {
  log_lock(log);
  const struct part *part = part_table_find(&log->parts, shard, block);
  const bool there = part && !part->border.incomplete;
  if (there) *border = part->border;
  log_unlock(log);
  return there;
}

bool run_log_border_before(const struct run_log *log, int32_t shard, int32_t block,
                           struct block_border *border) {
  log_lock(log);
  const struct shard_parts *list = &log->parts.shard[shard];
  int32_t p = part_table_place(list, block) - 1;
  while (p >= 0 && list->part[p]->border.incomplete) p--;
  if (p >= 0) *border = list->part[p]->border;
  log_unlock(log);
  return p >= 0;
}

int32_t run_log_shard_blocks(const struct run_log *log, int32_t shard) {
  log_lock(log);
  const int32_t blocks = log->parts.shard[shard].blocks;
  log_unlock(log);
  return blocks;
}

bool run_log_shard_damaged(const struct run_log *log, int32_t shard) {
  log_lock(log);
  const struct shard_parts *list = &log->parts.shard[shard];
  const bool damaged = list->done < list->count;
  log_unlock(log);
  return damaged;
}

bool run_log_shard_reaches(const struct run_log *log, int32_t shard, int32_t block) {
  log_lock(log);
  const struct part *last = part_table_last(&log->parts, shard);
  const bool reaches = last && last->border.index >= block;
  log_unlock(log);
  return reaches;
}

bool run_log_forget(struct run_log *log, int32_t shard, int32_t block, struct error *error) {
  log_lock(log);
  const bool ok = log->attached || run_state_cut(log, shard, block, error);
  if (log->attached) part_table_cut(&log->parts, shard, block);
  log_unlock(log);
  return ok;
}

bool run_log_file_open(const struct run_log *log, enum folder folder, int32_t width, int32_t shard,
                       int32_t block, struct file_writer *writer, struct error *error) {
  char name[PART_PATH_MAX];
  *writer = (struct file_writer){.descriptor = -1};
  part_path_format(name, folder, width, shard, block);
  char *path = file_join(log->out, name);
  const bool ok = path ? file_writer_open_in(writer, log->job, path, error) || run_state_failed(log, error)
                       : error_set_memory(error, PATH_MAX, "a path");
  free(path);
  return ok;
}

bool run_log_file_commit(const struct run_log *log, struct file_writer *writer, struct part_record *record,
                         struct error *error) {
  if (record->file_count == PART_FILES_MAX) {
    file_writer_abandon(writer);
    return error_set(error, ERROR_USAGE, "a part of more than %d files", PART_FILES_MAX);
  }
  struct part_file *file = &record->files[record->file_count];
  snprintf(file->path, sizeof file->path, "%s", writer->path + strlen(log->out) + 1);
  if (!file_writer_commit(writer, &file->digest, error)) return run_state_failed(log, error);
  record->file_count++;
  return true;
}

/* Syncs the folders of the record's files, each folder once. */
static bool folders_sync(const struct run_log *log, const struct part_record *record, struct error *error) {
  bool ok = true;
  for (int i = 0; ok && i < record->file_count; i++) {
    const char *path = record->files[i].path;
    const size_t folder = strcspn(path, "/") + 1;
    bool done = false;
    for (int j = 0; j < i; j++) done |= strncmp(record->files[j].path, path, folder) == 0;
    if (done) continue;
    char *whole = text_format("%s/%.*s", log->out, (int)folder, path);
    if (!whole) return error_set_memory(error, PATH_MAX, "a path");
    ok = file_sync_folder(whole, error);
    free(whole);
  }
  return ok;
}

/* Removes files that a part's earlier record names and its new record does not. If this fails, nothing
 * breaks: the run's end removes them (run_state_tidy). */
static void files_remove_left_over(const struct run_log *log, const struct part_record *before,
                                   const struct part_record *now) {
  struct error ignored;
  for (int i = 0; i < before->file_count; i++)
    if (!record_find(now, before->files[i].path))
      job_folder_discard(log->job, log->out, before->files[i].path, &ignored);
}

bool run_log_commit(struct run_log *log, const struct part_record *record, struct error *error) {
  const int32_t shard = record->border.shard, block = record->border.index;
  struct part_record before;
  struct error unread;
  if (shard < 0 || shard >= log->shards.count || block < 0)
    return error_set(error, ERROR_USAGE, "no shard %d of the run's %d can have a block %d", shard,
                     log->shards.count, block);
  const bool again =
      record_exists(log->out, shard, block) && record_read(log->out, shard, block, &before, &unread);
  if (!folders_sync(log, record, error) || !record_write(log->job, log->out, record, error))
    return run_state_failed(log, error);
  if (again) files_remove_left_over(log, &before, record);
  log_lock(log);
  log->finished = false;
  const bool ok = part_table_put(&log->parts, record, error) && run_state_cut_end(log, shard, error);
  log_unlock(log);
  return ok;
}

void run_log_totals(const struct run_log *log, struct run_totals *totals) {
  log_lock(log);
  *totals = log->parts.totals;
  log_unlock(log);
}

void run_log_fail(struct run_log *log) {
  log_lock(log);
  log->failed = !log->finished;
  log_unlock(log);
}

bool run_log_complete(const struct run_log *log) {
  log_lock(log);
  bool complete = !log->failed;
  for (int32_t shard = 0; complete && shard < log->shards.count; shard++)
    complete = part_table_complete(&log->parts, shard);
  log_unlock(log);
  return complete;
}

/* Takes back the parts that shard `s` is to do again, and says so. */
static bool shard_take_back(struct run_log *log, int32_t s, const struct part *misfit, struct error *error) {
  const struct block_border border = misfit->border;
  const struct part *before = part_table_find(&log->parts, s, border.index - 1);
  const int32_t first = before ? border.index - 1 : border.index;
  int64_t line, offset;
  part_joins(before, misfit, &line, &offset);
  log->finished = false;
  if (!run_state_cut(log, s, first, error)) return false;
  return error_set(
      error, ERROR_INPUT,
      "shard %d (%s) was changed in its middle after blocks of it were embedded: block %d "
      "begins at line %lld, byte %lld, but should at line %lld, byte %lld. Its parts from block %d on "
      "have been taken back: start the same command again (without --overwrite), and they are made from "
      "the shard as it is then; if blocks before may have changed too, start anew with --overwrite",
      s, log->shards.shard[s].path, border.index, (long long)border.first_line,
      (long long)border.first_offset, (long long)line, (long long)offset, first);
}

bool run_log_join(struct run_log *log, struct error *error) {
  struct error first = {0};
  log_lock(log);
  for (int32_t s = 0; s < log->parts.shard_count; s++) {
    const struct part *misfit = part_table_misfit(&log->parts, s);
    if (misfit && !shard_take_back(log, s, misfit, error) && (!first.code || error->code != ERROR_INPUT))
      first = *error;
  }
  log_unlock(log);
  if (first.code) *error = first;
  return !first.code;
}

bool run_log_finish(struct run_log *log, struct error *error) {
  if (log->finished || log->attached) return true;
  const enum manifest_state state = run_log_complete(log) ? MANIFEST_COMPLETE : MANIFEST_INCOMPLETE;
  log_lock(log);
  const bool ok =
      (state != MANIFEST_COMPLETE || run_state_tidy(log, error)) && run_state_save(log, state, error);
  log_unlock(log);
  return ok;
}
