/* A run's vector files as a passage source for top_k_scan. Workers read and decompress in parallel, a few
 * frames at a time, so no file is ever whole in memory. Pieces are handed out in the order of rows. */
#pragma once

#include "host/retrieval/row_filter.h"
#include "host/retrieval/top_k.h"

struct vector_file {
  const char *path;  /* a .npy.zst file (io/npy_zst.h); the caller's */
  int64_t first_row; /* number in the corpus of the file's first row */
  int64_t rows;      /* from the run's record; must match the file */
  int64_t size;      /* must match the file: another rank may find another one at the path. 0: not known */
};

struct vector_files;

/* `files` [count] stay the caller's and must outlive the source. So does `filter`; with it, the source hands
 * on the matching rows only, under their numbers (row_filter.h). NULL: all rows. */
struct vector_files *vector_files_open(const struct vector_file *files, int64_t count, int32_t width,
                                       int32_t threads, const struct row_filter *filter, struct error *error);

/* Before the first piece: hand on only the corpus rows from `first` up to, not including, `end`. */
void vector_files_range(struct vector_files *files, int64_t first, int64_t end);

/* The source for one top_k_scan with the same number of threads. */
struct passage_source vector_files_source(struct vector_files *files);

/* Compressed bytes read so far. Must not run during a scan. */
int64_t vector_files_bytes_read(const struct vector_files *files);

void vector_files_close(struct vector_files *files);
