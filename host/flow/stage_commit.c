/* The committers: write a finished block's files and its part record. */
#include <string.h>

#include "host/flow/equal_rows.h"
#include "host/flow/stages.h"
#include "io/file_writer.h"
#include "io/npy_zst.h"
#include "io/run/row_hash.h"
#include "io/seekable_zst.h"

struct committing {
  struct flow *flow;
  struct flow_block *work;
  struct part_record *record;
};

/* Opens the part's file in a folder of OUT; `width` is for vectors. */
static bool file_open(const struct committing *commit, enum folder folder, int32_t width,
                      struct file_writer *file, struct error *error) {
  const struct block_border *border = &commit->work->block.border;
  return run_log_file_open(commit->flow->parts.log, folder, width, border->shard, border->index, file, error);
}

/* If `written`, closes the file under its name; otherwise removes it. */
static bool file_close(const struct committing *commit, struct file_writer *file, bool written,
                       struct error *error) {
  if (written) return run_log_file_commit(commit->flow->parts.log, file, commit->record, error);
  file_writer_abandon(file);
  return false;
}

static bool commit_vectors(const struct committing *commit, int32_t w, struct error *error) {
  const struct flow_options *options = &commit->flow->options;
  struct file_writer file;
  if (!file_open(commit, FOLDER_VECTORS, options->widths[w], &file, error)) return false;
  const bool written = npy_zst_write(&file, commit->work->vectors[w], commit->work->rows, options->widths[w],
                                     options->zstd_level, error);
  return file_close(commit, &file, written, error);
}

/* Writes a row file; skips an empty last frame. */
static bool commit_lines(const struct committing *commit, enum folder folder, const struct row_lines *lines,
                         struct error *error) {
  const int64_t *frames = lines->frame;
  struct file_writer file;
  if (!file_open(commit, folder, 0, &file, error)) return false;
  struct seekable_zst_writer *writer =
      seekable_zst_writer_open(&file, commit->flow->options.zstd_level, error);
  bool written = writer != NULL;
  int64_t start = 0;
  for (int64_t i = 0; written && i < lines->frame_count; i++) {
    if (frames[i] > start)
      written =
          seekable_zst_writer_frame(writer, lines->text.bytes + start, (size_t)(frames[i] - start), error);
    start = frames[i];
  }
  written = written && seekable_zst_writer_finish(writer, error);
  seekable_zst_writer_close(writer);
  return file_close(commit, &file, written, error);
}

static bool commit_hashes(const struct committing *commit, struct error *error) {
  const struct flow_block *work = commit->work;
  struct file_writer file;
  if (!file_open(commit, FOLDER_HASHES, 0, &file, error)) return false;
  const bool written = npy_zst_write_bytes(&file, work->hash, work->rows, ROW_HASH_BYTES,
                                           commit->flow->options.zstd_level, error);
  return file_close(commit, &file, written, error);
}

static bool commit_rejects(const struct committing *commit, struct error *error) {
  const struct text *lines = &commit->work->reject_lines;
  struct file_writer file;
  if (lines->size == 0) return true;
  if (!file_open(commit, FOLDER_REJECTS, 0, &file, error)) return false;
  return file_close(commit, &file, file_writer_write(&file, lines->bytes, lines->size, error), error);
}

static bool commit_block(const struct committing *commit, struct error *error) {
  const struct flow_options *options = &commit->flow->options;
  struct flow_block *work = commit->work;
  struct part_record *record = commit->record;
  equal_rows_copy(work, options->widths, options->width_count);
  *record = (struct part_record){.border = work->block.border,
                                 .rows = work->rows,
                                 .rejected = work->rejected,
                                 .truncated = work->truncated,
                                 .tokens = work->tokens,
                                 .characters = work->characters,
                                 .embedded = work->embedded,
                                 .documents = options->chunks.tokens ? work->documents : 0,
                                 .titles_cut = work->titles_cut,
                                 .blank = work->blank};
  for (int64_t i = 0; i < work->rows; i++) record->lengths[length_class_of(work->row[i].tokens)]++;
  for (int32_t w = 0; w < options->width_count; w++) {
    record->vector_bytes += work->rows * options->widths[w] * (int64_t)sizeof(uint16_t);
    if (!commit_vectors(commit, w, error)) return false;
  }
  if (!commit_lines(commit, FOLDER_IDS, &work->id_lines, error)) return false;
  if (options->hashes && !commit_hashes(commit, error)) return false;
  if (options->store_text && !commit_lines(commit, FOLDER_TEXT, &work->text_lines, error)) return false;
  if (options->fields.kept && !commit_lines(commit, FOLDER_FIELDS, &work->field_lines, error)) return false;
  if (!commit_rejects(commit, error) || !run_log_commit(commit->flow->parts.log, record, error)) return false;
  struct part_summary summary;
  part_summary_of(record, &summary);
  ranks_committed(commit->flow->parts.ranks, &summary);
  return true;
}

/* Rows stand longest first, so a batch's first row is its longest. */
static int64_t padded_tokens(const struct flow_block *work) {
  int64_t tokens = 0;
  for (int32_t b = 0; b < work->batch_count; b++) {
    const struct flow_batch *batch = &work->batch[b];
    tokens += (int64_t)batch->sequences * work->row[work->order[batch->first_row]].tokens;
  }
  return tokens;
}

static void count_block(struct flow *flow, const struct flow_block *work) {
  struct flow_counts *counts = &flow->committed;
  atomic_fetch_add(&flow->blocks, 1);
  atomic_fetch_add(&counts->documents, work->documents);
  atomic_fetch_add(&counts->rows, work->rows);
  atomic_fetch_add(&counts->tokens, work->tokens);
  atomic_fetch_add(&counts->rejected, work->rejected);
  atomic_fetch_add(&counts->truncated, work->truncated);
  atomic_fetch_add(&counts->blank, work->blank);
  atomic_fetch_add(&counts->source_bytes, work->source_bytes);
  atomic_fetch_add(&counts->encoded, work->packed_rows);
  atomic_fetch_add(&counts->encoded_tokens, work->packed_tokens);
  atomic_fetch_add(&counts->reused, work->reused_rows);
  atomic_fetch_add(&counts->reused_tokens, work->reused_tokens);
  atomic_fetch_add(&counts->batches, work->batch_count);
  if (work->there.title) atomic_store(&flow->title_there, true);
  if (work->there.kept) atomic_fetch_or(&flow->kept_there, work->there.kept);
  atomic_fetch_add(&counts->padded_tokens, padded_tokens(work));
  /* `seen` is counted by batch: add a block without a batch here. */
  if (work->batch_count == 0) atomic_fetch_add(&flow->seen.source_bytes, work->source_bytes);
}

void *stage_commit(void *argument) {
  struct flow *flow = argument;
  struct error error = {0};
  struct part_record record;
  int64_t waited = 0;
  void *item;
  while (queue_pop(&flow->encoded, &item, &waited)) {
    struct flow_block *work = item;
    const struct committing commit = {.flow = flow, .work = work, .record = &record};
    /* If a block is encoded, commit it even if the run is being stopped. */
    if (!commit_block(&commit, &error)) {
      flow_fail(flow, &error);
    } else {
      count_block(flow, work);
    }
    flow_release(flow, work);
  }
  flow_thread_ends(flow, STAGE_COMMIT, waited);
  return NULL;
}
