/* The vector files of a run as a source of passages for top_k_scan: workers read and decompress side by side,
 * each a stretch of frames at a time, so that no file is ever whole in memory. */
#pragma once

#include "host/retrieval/top_k.h"

struct vector_file {
  const char *path;  /* of a .npy.zst (io/npy_zst.h); stays the caller's */
  int64_t first_row; /* row number of its first row in the corpus */
  int64_t rows;      /* as vector_file_rows or the run's record says; the file must have as many */
};

/* The number of rows of a file, which must be of `width`. Reads its header only. */
bool vector_file_rows(const char *path, int32_t width, int64_t *rows, struct error *error);

struct vector_files;

/* `files` [count] stay the caller's and must outlive the source. */
struct vector_files *vector_files_open(const struct vector_file *files, int64_t count, int32_t width,
                                       int32_t threads, struct error *error);

/* For top_k_scan, once; the source must be one of as many threads. */
struct passage_source vector_files_source(struct vector_files *files);

/* Rows handed out so far. Thread-safe: for progress. */
int64_t vector_files_done(const struct vector_files *files);

void vector_files_close(struct vector_files *files);
