#include "host/job/row_reader.h"

#include <stdlib.h>

#include "host/model/widths.h"
#include "io/npy_zst.h"

struct row_reader {
  const struct stored_run *run;
  int32_t width, file_width;
  int64_t part; /* -1: no part yet */
  struct npy_zst_reader *file;
  int64_t bytes_read;     /* from the files before */
  uint16_t *row, *narrow; /* [file_width], [width] */
};

struct row_reader *row_reader_open(const struct stored_run *run, int32_t width, struct error *error) {
  struct row_reader *reader = calloc(1, sizeof *reader);
  if (!reader) {
    error_set_memory(error, sizeof *reader, "a reader of vectors");
    return NULL;
  }
  *reader = (struct row_reader){
      .run = run, .width = width, .file_width = stored_run_file_width(run, width), .part = -1};
  reader->row = malloc((size_t)reader->file_width * sizeof *reader->row);
  reader->narrow = malloc((size_t)width * sizeof *reader->narrow);
  if (reader->row && reader->narrow) return reader;
  error_set_memory(error, (size_t)(reader->file_width + width) * sizeof *reader->row, "a vector");
  row_reader_close(reader);
  return NULL;
}

static void file_close(struct row_reader *reader) {
  if (reader->file) reader->bytes_read += npy_zst_reader_bytes_read(reader->file);
  npy_zst_reader_close(reader->file);
  reader->file = NULL;
  reader->part = -1;
}

void row_reader_close(struct row_reader *reader) {
  if (!reader) return;
  file_close(reader);
  free(reader->row);
  free(reader->narrow);
  free(reader);
}

static bool file_open(struct row_reader *reader, int64_t part, struct error *error) {
  const struct stored_run *run = reader->run;
  const int64_t rows = run->part[part].rows;
  if (part == reader->part) return true;
  file_close(reader);
  char *path = stored_run_path(run, FOLDER_VECTORS, reader->file_width, &run->part[part], error);
  if (!path) return false;
  reader->file = npy_zst_reader_open(path, error);
  bool ok = reader->file != NULL;
  if (ok &&
      (npy_zst_reader_width(reader->file) != reader->file_width || npy_zst_reader_rows(reader->file) != rows))
    ok = error_set(error, ERROR_INPUT, "%s is not %lld vectors of width %d, as its run's manifest says", path,
                   (long long)rows, reader->file_width);
  free(path);
  if (ok) reader->part = part;
  return ok;
}

const uint16_t *row_reader_read(struct row_reader *reader, int64_t row, struct error *error) {
  const int64_t part = stored_run_part(reader->run, row);
  if (!file_open(reader, part, error) ||
      !npy_zst_reader_read(reader->file, row - reader->run->part[part].first_row, 1, reader->row, error))
    return NULL;
  if (reader->width == reader->file_width) return reader->row;
  width_derive(reader->row, reader->width, reader->narrow);
  return reader->narrow;
}

int64_t row_reader_bytes_read(const struct row_reader *reader) {
  return reader->bytes_read + (reader->file ? npy_zst_reader_bytes_read(reader->file) : 0);
}
