/* The committed part of a run: OUT's manifest and part records, resume, and verification.
 *
 *     OUT/w<width>/part-SSSSS-BBBBB.npy.zst   vectors of shard S, block B (numbers of five or more digits)
 *     OUT/ids/part-SSSSS-BBBBB.jsonl.zst      one object per row, in the order of the rows
 *     OUT/hashes/part-SSSSS-BBBBB.npy.zst     hash per row (io/run/row_hash.h); not in older versions' runs
 *     OUT/text/part-SSSSS-BBBBB.jsonl.zst     {"title":…,"text":…} per row, 64 rows a frame; optional
 *     OUT/fields/part-SSSSS-BBBBB.jsonl.zst   {"path":…} per row, 512 rows a frame; optional
 *     OUT/rejects/part-SSSSS-BBBBB.jsonl      one object per line without a row; only if there is one
 *     OUT/parts/part-SSSSS-BBBBB.json         the commit record
 *     OUT/manifest.json                       the run's identity; completed last
 *     OUT/report.json                         for people (host/job/run_report.h)
 *     OUT/job.lock, OUT/.job.….tmp            while a job is at work (io/run/job_lock.h, io/run/job_folder.h)
 *
 * A part exists when its record exists: first its files are renamed and their folders synced, then the record
 * is written. Commits are idempotent: the same block gives the same bytes, so a second commit changes
 * nothing.
 *
 * OUT belongs to the job that opened it last. A leftover of an earlier job (a rank that lives a little longer
 * than its job, a job on a machine that hung) can no longer change OUT; it fails with ERROR_CONFLICT. So
 * everything that a job has read from OUT or committed stays unchanged, even if the earlier job had other
 * settings or another version of a shard. */
#pragma once

#include "io/file_writer.h"
#include "io/run/record.h"
#include "io/run/shard.h"

struct run_log;

/* The manifest's shard list: the given list, or under RUN_APPEND the longer one. Valid until close. */
const struct shard *run_log_shards(const struct run_log *log, int32_t *count);

/* What a user should know of the shards of RUN_APPEND, in a sentence each or "": those that were moved since
 * they were embedded, and new ones with the content of others. Valid until close. */
const char *run_log_moved(const struct run_log *log);
const char *run_log_copies(const struct run_log *log);

/* A folder on OUT's file system for what the job needs only while it runs; it is removed at the end. All
 * ranks give the same. Valid until close. */
const char *run_log_job_folder(const struct run_log *log);

/* True if the run had committed parts when it was opened. */
bool run_log_resumed(const struct run_log *log);

/* Border of a committed part, or NULL. An incomplete part counts as not committed: it must be done again.
 * Valid until the part is forgotten, or committed again with another border, or the log is closed.
 * Thread-safe. */
const struct block_border *run_log_part(const struct run_log *log, int32_t shard, int32_t block);

/* The same as a copy, which stays valid: if other ranks take part, a part may be forgotten at any time. False
 * if run_log_part gives NULL. Thread-safe. */
bool run_log_border(const struct run_log *log, int32_t shard, int32_t block, struct block_border *border);

/* The same of the last committed block before `block`. Thread-safe. */
bool run_log_border_before(const struct run_log *log, int32_t shard, int32_t block,
                           struct block_border *border);

/* Number of blocks in a shard, or -1 if the part with end_of_shard is not committed yet. Thread-safe. */
int32_t run_log_shard_blocks(const struct run_log *log, int32_t shard);

/* True if this block or a later one of the shard has a part, an incomplete one too. Thread-safe. */
bool run_log_shard_reaches(const struct run_log *log, int32_t shard, int32_t block);

/* True if a part of the shard is incomplete: the shard was damaged when it was read. Thread-safe. */
bool run_log_shard_damaged(const struct run_log *log, int32_t shard);

/* Takes back a shard's parts from `block` on: removes their records, so they count as not committed. Used
 * when a repaired shard turns out to differ from there on. */
bool run_log_forget(struct run_log *log, int32_t shard, int32_t block, struct error *error);

/* Opens a part's file in a folder of OUT for writing; only vectors use `width`. As after file_writer_open,
 * the caller must call exactly one of run_log_file_commit and file_writer_abandon. Thread-safe. */
bool run_log_file_open(const struct run_log *log, enum folder folder, int32_t width, int32_t shard,
                       int32_t block, struct file_writer *writer, struct error *error);

/* Closes the file under its final name and adds it to the record. On failure the file is abandoned. */
bool run_log_file_commit(const struct run_log *log, struct file_writer *writer, struct part_record *record,
                         struct error *error);

/* Commits a part whose files are all in the record: syncs their folders, writes the record, syncs its folder.
 * If the part had a record before, files named only there are removed. Parts beyond the shard's end are
 * removed if this log knows the end: those after this part, or this part, if it was claimed before the end
 * was known. A commit waits for the disk some 15 times, so several threads may commit at once. Thread-safe.
 */
bool run_log_commit(struct run_log *log, const struct part_record *record, struct error *error);

/* Totals over all parts so far, incomplete ones too. Thread-safe. */
void run_log_totals(const struct run_log *log, struct run_totals *totals);

/* Says that the run has failed, because an input is not the one that its parts were made of: it is not
 * complete then, even if no part is missing. Changes nothing if the run was complete when it was opened, and
 * no part was committed since. */
void run_log_fail(struct run_log *log);

/* True if every block of every shard is committed, and run_log_fail was not called. */
bool run_log_complete(const struct run_log *log);

/* Holds each part's end against the beginning of the next one, without reading a shard. If two contradict
 * each other, the shard was changed in its middle after parts of it were committed: false, with ERROR_INPUT.
 * The two parts and all behind them are then taken back in every such shard, so that the next start does them
 * again. For the rank that opened the run. */
bool run_log_join(struct run_log *log, struct error *error);

/* Completes the manifest: totals, the list of parts, and "state": "complete", or "incomplete" if a block is
 * missing. Of a complete run, first removes files of parts that it does not have. */
bool run_log_finish(struct run_log *log, struct error *error);
