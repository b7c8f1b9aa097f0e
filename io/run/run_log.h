/* What a run has committed: OUT's manifest, its part records, resume, and verification.
 *
 *     OUT/w<width>/part-SSSSS-BBBBB.npy.zst   vectors of shard S, block B (numbers of five or more digits)
 *     OUT/ids/part-SSSSS-BBBBB.jsonl.zst      one object per row, in the order of the rows
 *     OUT/text/part-SSSSS-BBBBB.jsonl.zst     {"title":…,"text":…} per row, 64 rows a frame; optional
 *     OUT/rejects/part-SSSSS-BBBBB.jsonl      one object per line without a row; only where there is one
 *     OUT/parts/part-SSSSS-BBBBB.json         the commit record
 *     OUT/manifest.json                       what the run is; completed last
 *     OUT/job.lock, OUT/.job.….tmp            while a job is at work (io/run/job_lock.h, io/run/job_folder.h)
 *
 * A part exists when its record does: its files are renamed and their folders synced first, its record last.
 * Commits are idempotent: the same block gives the same bytes, so committing it twice changes nothing.
 *
 * OUT belongs to the job that opened it last. Whatever is left of an earlier one (a rank that lives a little
 * longer than its job, a job on a machine that hung) can change nothing any more and fails with
 * ERROR_CONFLICT. So what a job has read of OUT, and what it has committed, stays as it is, also where the
 * earlier job had other settings or another version of a shard. */
#pragma once

#include "io/run/record.h"
#include "io/run/shard.h"

struct run_log;

/* The shard list of the manifest: the given one, or under RUN_APPEND the longer one. Valid until close. */
const struct shard *run_log_shards(const struct run_log *log, int32_t *count);

/* True where the run had committed parts when it was opened. */
bool run_log_resumed(const struct run_log *log);

/* Border of a committed part, or NULL. A part that is incomplete counts as not committed: it is to be done
 * again. Valid until the part is committed again with another border, forgotten, or the log closed.
 * Thread-safe. */
const struct block_border *run_log_part(const struct run_log *log, int32_t shard, int32_t block);

/* The same as a copy, which nobody can take away: where other ranks take part, parts may be forgotten at any
 * time. False where run_log_part gives NULL. Thread-safe. */
bool run_log_border(const struct run_log *log, int32_t shard, int32_t block, struct block_border *border);

/* Number of blocks of a shard, or -1 while the part with end_of_shard is not committed. Thread-safe. */
int32_t run_log_shard_blocks(const struct run_log *log, int32_t shard);

/* True where the last part of a shard is incomplete: the shard was damaged when it was read. Thread-safe. */
bool run_log_shard_damaged(const struct run_log *log, int32_t shard);

/* Takes back the parts of a shard from `block` on: their records are removed, and they count as not
 * committed. For a repaired shard that turns out to be another one from there on. */
bool run_log_forget(struct run_log *log, int32_t shard, int32_t block, struct error *error);

/* Opens a part's file in a folder of OUT for writing; `width` is that of vectors. As after file_writer_open,
 * exactly one of run_log_file_commit or file_writer_abandon must follow. Thread-safe. */
bool run_log_file_open(const struct run_log *log, enum folder folder, int32_t width, int32_t shard,
                       int32_t block, struct file_writer *writer, struct error *error);

/* Closes such a file under its final name and adds it to the record. On failure the file is abandoned. */
bool run_log_file_commit(const struct run_log *log, struct file_writer *writer, struct part_record *record,
                         struct error *error);

/* Commits a part whose files are all in the record: syncs their folders, writes the record, syncs its folder.
 * Where the part had a record before, files that only that one names are removed; where it ends its shard, so
 * are parts beyond it. A commit waits for the disk some 15 times: several threads may commit at once.
 * Thread-safe. */
bool run_log_commit(struct run_log *log, const struct part_record *record, struct error *error);

/* Totals of all parts so far, incomplete ones too. Thread-safe. */
void run_log_totals(const struct run_log *log, struct run_totals *totals);

/* True when every block of every shard is committed. */
bool run_log_complete(const struct run_log *log);

/* Completes the manifest: totals, the list of parts, and "state": "complete", or "incomplete" where a block
 * is missing. */
bool run_log_finish(struct run_log *log, struct error *error);
