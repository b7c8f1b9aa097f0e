/* A folder that `nina embed` filled, as its readers see it: which vectors there are, whose they are, where
 * their documents stand. Rows are numbered through all parts, in the order of shards and blocks: the order of
 * the input. */
#pragma once

#include "host/job/device.h"
#include "host/model/encoder.h"
#include "host/retrieval/id_map.h"
#include "host/retrieval/vector_files.h"
#include "io/line_reader.h"
#include "io/run/manifest.h"

/* A line of ids/ or text/: twice the longest line that a run takes, since escapes grow. */
#define STORED_LINE_MAX ((int64_t)256 << 20)

struct stored_part {
  int32_t shard, block;
  int64_t first_row; /* in the run */
  int64_t rows;
};

struct stored_run {
  char *out;
  struct manifest *manifest;
  int32_t width_count;
  int32_t widths[WIDTHS_MAX]; /* strictly decreasing */
  struct stored_part *part;   /* [part_count] */
  int64_t part_count;
  int64_t rows;
  bool complete; /* false: some documents of its input are not there (yet) */
};

/* Reads the manifest, whose every number is checked. ERROR_USAGE where there is no folder OUT, ERROR_INPUT
 * where OUT holds no run, one that was never finished or stopped in order (its manifest does not list the
 * parts yet), or none of the documents. On failure nothing needs to be closed. */
bool stored_run_open(const char *out, struct stored_run *run, struct error *error);
void stored_run_close(struct stored_run *run);

/* The path of a part's file in a folder, allocated; `width` is that of vectors. NULL when memory is short. */
char *stored_run_path(const struct stored_run *run, enum folder folder, int32_t width,
                      const struct stored_part *part, struct error *error);

/* Number of the part that holds a row. */
int64_t stored_run_part(const struct stored_run *run, int64_t row);

/* The vector files of a stored width, [part_count]; freed by stored_files_free. NULL on error. */
struct vector_file *stored_run_files(const struct stored_run *run, int32_t width, struct error *error);
void stored_files_free(struct vector_file *files, int64_t count);

/* Adds the ids of all rows to an empty map, row by row. An id that an earlier document has too is
 * ERROR_INPUT, naming both. */
bool stored_run_ids(const struct stored_run *run, struct id_map *map, struct error *error);

/* Adds to the error of a file in OUT which command says more; returns false. */
bool stored_run_blame(const struct stored_run *run, struct error *error);

/* ERROR_CONFLICT if the rows are of no model, but the hashes of --device null, and `asked` is not that. */
bool stored_run_check_device(const struct stored_run *run, enum device asked, struct error *error);

/* ERROR_CONFLICT where two runs' rows cannot be compared: another model or tokenizer, or another widest
 * width. */
bool stored_run_matches(const struct stored_run *a, const struct stored_run *b, struct error *error);
