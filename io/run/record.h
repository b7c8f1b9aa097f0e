/* Commit records: what a run knows about a part, stored as OUT/parts/part-SSSSS-BBBBB.json. */
#pragma once

#include "io/block.h"
#include "io/file.h"
#include "io/run/layout.h"
#include "io/run/row_lengths.h"
#include "io/run/totals.h"

#define RUN_FORMAT 1 /* for manifest.json and part records; a reader refuses a higher one */

struct part_file {
  char path[PART_PATH_MAX]; /* relative to OUT: "w1024/part-00003-00017.npy.zst" */
  struct digest digest;
};

struct part_record {
  struct block_border border;
  int64_t rows, rejected, truncated, tokens, blank;
  int64_t characters;              /* of the texts, in Unicode code points; 0 in an older version's record */
  int64_t embedded;                /* characters that were not cut off */
  int64_t documents;               /* as in struct run_totals */
  int64_t titles_cut;              /* likewise */
  int64_t lengths[LENGTH_CLASSES]; /* rows by length; all 0 in an older version's record */
  int64_t vector_bytes;            /* rows × Σ widths × 2: decompressed size, for the compression ratio */
  int file_count;
  struct part_file files[PART_FILES_MAX];
};

/* The log's memory of a part. */
struct part_summary {
  struct block_border border;
  struct run_totals sums; /* this part's share of the totals */
};

void part_summary_of(const struct part_record *record, struct part_summary *summary);

/* Writes the record durably: file, then folder. `job` is the job's folder (io/run/job_folder.h), also
 * below. */
bool record_write(const char *job, const char *out, const struct part_record *record, struct error *error);

/* Reads and checks a record: every number must be in its range, and every path must name one of this part's
 * files in the layout's folders. */
bool record_read(const char *out, int32_t shard, int32_t block, struct part_record *record,
                 struct error *error);

/* The record's rows whose length is known: all, or of an older version's record none. */
int64_t record_lengths_sum(const struct part_record *record);

/* The record's file at this path, relative to OUT; NULL if the record names no such file. */
const struct part_file *record_find(const struct part_record *record, const char *path);

/* Tells the record from another one that takes its place later. The size is -1 if there is none. False if the
 * system cannot tell. */
bool record_stamp(const char *out, int32_t shard, int32_t block, struct file_stamp *stamp,
                  struct error *error);

/* True if there is a record, readable or not. */
bool record_exists(const char *out, int32_t shard, int32_t block);

/* Removes the record, then the files that it names. */
bool record_remove(const char *job, const char *out, const struct part_record *record, struct error *error);

/* The record's share of the totals. */
void record_totals(const struct part_record *record, struct run_totals *totals);
