/* Reads single rows of a stored run at one width: the seek table leads to the one frame that holds a row. */
#pragma once

#include "host/job/stored_run.h"

struct row_reader;

/* The width's own files are read if they are stored; otherwise rows derive from the widest width
 * (host/model/widths.h). `width` is at most the widest. The run must outlive the reader. */
struct row_reader *row_reader_open(const struct stored_run *run, int32_t width, struct error *error);
void row_reader_close(struct row_reader *reader);

/* Row `row` of the run, [width] fp16, valid until the next call; NULL on an error. Rising rows read each
 * frame once. */
const uint16_t *row_reader_read(struct row_reader *reader, int64_t row, struct error *error);

/* Compressed bytes read so far. */
int64_t row_reader_bytes_read(const struct row_reader *reader);
