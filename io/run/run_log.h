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

#include <jansson.h>
#include <stdint.h>

#include "io/block.h"
#include "io/error.h"
#include "io/file.h"

#define RUN_LOG_FORMAT 1 /* of manifest.json and of part records; a reader refuses a higher one */

struct shard {
  char *path;           /* as the user gave it, folders expanded */
  int64_t size;         /* bytes of the file; -1 for standard input */
  char fingerprint[33]; /* XXH3-128 of the first and last 64 KiB (of all, when shorter than both); empty for
                           standard input */
};

/* Size and fingerprint of shard->path; the path stays the caller's. */
bool shard_examine(struct shard *shard, struct error *error);

/* What makes two runs the same run: all of it must agree for a resume. The JSON values are objects of
 * scalars, arrays or objects; a difference is reported by its key and both values. Not owned. */
struct run_identity {
  json_t *model;    /* name, hashes of weights and tokenizer */
  json_t *settings; /* every resolved setting that changes the bytes that come out; its keys are the names of
                       their options, with _ for - */
  json_t *compute_class; /* encoder, precision, instruction set or GPU, library versions */
  bool mixed; /* a run of several compute classes: that of the manifest need not agree, and is replaced */
  const struct shard *shards;
  int32_t shard_count;
};

enum run_mode { RUN_RESUME, RUN_APPEND, RUN_OVERWRITE };

#define PART_FILES_MAX 20

struct part_file {
  char path[64]; /* relative to OUT: "w1024/part-00003-00017.npy.zst" */
  struct digest digest;
};

struct part_record {
  struct block_border border;
  int64_t rows, rejected, truncated, tokens, blank;
  int64_t vector_bytes; /* rows × Σ widths × 2: what the vector files hold, for the compression ratio */
  int file_count;
  struct part_file files[PART_FILES_MAX];
};

/* Sums over part records. */
struct run_totals {
  int64_t parts, lines, rows, rejected, truncated, tokens, blank;
  int64_t vector_bytes;      /* decompressed */
  int64_t vector_file_bytes; /* as stored in w<width> */
  int64_t file_bytes;        /* of all files */
  int64_t incomplete;        /* shards whose last part is incomplete */
};

struct run_log;

/* Reads OUT/manifest.json. *manifest is NULL, without an error, where there is none. The caller owns the
 * reference. */
bool run_log_manifest(const char *out, json_t **manifest, struct error *error);

/* Starts or resumes a run in OUT, which is made where missing; reads the records of all parts and drops those
 * whose files are missing or of another size. Refuses with ERROR_CONFLICT, saying what differs:
 * - RUN_RESUME: another identity, fewer or more shards, a shard whose size or fingerprint changed (unless
 *   its last part is incomplete: a repaired shard; its manifest entry is then renewed). A shard that only
 *   bears another path is the same shard.
 * - RUN_APPEND: another identity; a shard of the manifest is recognised by its path; shards that are new
 *   go to the end of the list.
 * - RUN_OVERWRITE: never; what an earlier run wrote (files of the layout above, nothing else) is removed
 *   first, its manifest replaced.
 * - any mode: an OUT that holds files but no manifest.
 * The manifest is a new run's first file. Temporary files of earlier jobs are removed, those of an earlier
 * version, beside their final names, too. */
struct run_log *run_log_open(const char *out, const struct run_identity *identity, enum run_mode mode,
                             struct error *error);

void run_log_close(struct run_log *log);

/* A job of many ranks: one opens the log, as above, and sends what run_log_pack makes of it (shards and
 * parts; *bytes is the caller's to free) to the others. They attach to the run: such a log commits parts like
 * any other and knows those of the pack and its own, but what concerns the run as a whole is for the one that
 * opened it: run_log_finish on it does nothing, and run_log_forget takes parts out of its memory alone. The
 * pack is for the same program on the same kind of machine; another version's is refused. */
bool run_log_pack(const struct run_log *log, void **bytes, size_t *size, struct error *error);
struct run_log *run_log_attach(const char *out, const void *bytes, size_t size, struct error *error);

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

/* Opens the file OUT/<folder>/part-SSSSS-BBBBB<suffix> for writing; the folder is one of the layout. As after
 * file_writer_open, exactly one of run_log_file_commit or file_writer_abandon must follow. Thread-safe. */
bool run_log_file_open(const struct run_log *log, const char *folder, const char *suffix, int32_t shard,
                       int32_t block, struct file_writer *writer, struct error *error);

/* Closes such a file under its final name and adds it to the record. On failure the file is abandoned. */
bool run_log_file_commit(const struct run_log *log, struct file_writer *writer, struct part_record *record,
                         struct error *error);

/* Commits a part whose files are all in the record: syncs their folders, writes the record, syncs its folder.
 * Where the part had a record before, files that only that one names are removed; where it ends its shard, so
 * are parts beyond it. A commit waits for the disk some 15 times: several threads may commit at once.
 * Thread-safe. */
bool run_log_commit(struct run_log *log, const struct part_record *record, struct error *error);

/* What the log keeps of a part. */
struct part_summary {
  struct block_border border;
  struct run_totals sums; /* this part's share of the totals */
};

void part_summary_of(const struct part_record *record, struct part_summary *summary);

/* Enters a part that another rank has committed. Where it ends its shard, parts beyond it, which that rank
 * has removed, are taken out. Thread-safe. */
bool run_log_adopt(struct run_log *log, const struct part_summary *summary, struct error *error);

/* Totals of all parts so far, incomplete ones too. Thread-safe. */
void run_log_totals(const struct run_log *log, struct run_totals *totals);

/* True when every block of every shard is committed. */
bool run_log_complete(const struct run_log *log);

/* Completes the manifest: totals, the list of parts, and "state": "complete", or "incomplete" where a block
 * is missing. */
bool run_log_finish(struct run_log *log, struct error *error);

/* Verification: one call per finding, all in the thread that called; those of the records in the order of
 * parts. `path` is relative to OUT. */
enum finding_kind {
  FINDING_MISSING,    /* a file of a record is not there; of a finished run also a part, or a shard's end */
  FINDING_DAMAGED,    /* size or hash differ from the record, or a record cannot be read */
  FINDING_INCOMPLETE, /* a shard that ends in an incomplete part; a run that was not finished, with
                         what is yet to be done */
  FINDING_FOREIGN,    /* a file that no record names (temporary files of dead processes among them) */
};
struct finding {
  enum finding_kind kind;
  const char *path;
  const char *detail;
};
typedef void finding_fn(void *context, const struct finding *finding);

/* Rereads every file of OUT against its record, with so many threads; they change nothing in what is
 * reported, nor in its order. Returns false only when it cannot be done at all (no manifest, unreadable
 * folder); findings are not errors. *totals sums the readable records; *files counts the files that were
 * read. */
bool run_log_verify(const char *out, int32_t threads, finding_fn *report, void *context,
                    struct run_totals *totals, int64_t *files, struct error *error);
