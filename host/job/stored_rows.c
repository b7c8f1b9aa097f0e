#include "host/job/stored_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "host/model/half.h"
#include "host/model/widths.h"
#include "io/npy_zst.h"

/* The current part, and buffers for one row. */
struct row_reader {
  const struct stored_run *run;
  int64_t part; /* -1: no part yet */
  struct npy_zst_reader *reader;
  uint16_t *row, *narrow; /* [widths[0]] */
};

static bool part_open(struct row_reader *rows, int64_t part, struct error *error) {
  const struct stored_run *run = rows->run;
  if (part == rows->part) return true;
  char *path = stored_run_path(run, FOLDER_VECTORS, run->widths[0], &run->part[part], error);
  if (!path) return false;
  npy_zst_reader_close(rows->reader);
  rows->reader = npy_zst_reader_open(path, error);
  rows->part = part;
  bool ok = rows->reader != NULL;
  if (ok && (npy_zst_reader_width(rows->reader) != run->widths[0] ||
             npy_zst_reader_rows(rows->reader) != run->part[part].rows))
    ok = error_set(error, ERROR_INPUT, "%s is not %lld vectors of width %d, as its run's manifest says", path,
                   (long long)run->part[part].rows, run->widths[0]);
  free(path);
  return ok;
}

/* Reads one row and stores it at every width as row `at`. */
static bool row_read(struct row_reader *reader, int64_t row, int64_t at, int32_t width_count,
                     const int32_t *widths, float **rows, struct error *error) {
  const struct stored_run *run = reader->run;
  const int64_t part = stored_run_part(run, row);
  if (!part_open(reader, part, error) ||
      !npy_zst_reader_read(reader->reader, row - run->part[part].first_row, 1, reader->row, error))
    return false;
  for (int32_t w = 0; w < width_count; w++) {
    const int32_t width = widths[w];
    const uint16_t *values = reader->row;
    if (width < run->widths[0]) {
      width_derive(reader->row, width, reader->narrow);
      values = reader->narrow;
    }
    for (int32_t i = 0; i < width; i++) rows[w][at * width + i] = half_to_float(values[i]);
  }
  return true;
}

static bool rows_allocate(int64_t count, int32_t width_count, const int32_t *widths, float **rows,
                          struct error *error) {
  for (int32_t w = 0; w < width_count; w++) {
    size_t bytes;
    rows[w] = NULL;
    if (!__builtin_mul_overflow((size_t)count, (size_t)widths[w] * sizeof **rows, &bytes))
      rows[w] = malloc(bytes);
    if (!rows[w]) return error_set_memory(error, (size_t)count * (size_t)widths[w], "the queries' vectors");
  }
  return true;
}

bool stored_rows_read(const struct stored_run *run, const int64_t *chosen, int64_t count, int32_t width_count,
                      const int32_t *widths, float **rows, struct error *error) {
  struct row_reader reader = {.run = run, .part = -1};
  if (!rows_allocate(count, width_count, widths, rows, error)) return false;
  reader.row = malloc((size_t)run->widths[0] * sizeof *reader.row);
  reader.narrow = malloc((size_t)run->widths[0] * sizeof *reader.narrow);
  bool ok = reader.row && reader.narrow;
  if (!ok) error_set_memory(error, 2 * (size_t)run->widths[0] * sizeof *reader.row, "a vector");
  for (int64_t i = 0; ok && i < count; i++)
    ok = row_read(&reader, chosen[i], i, width_count, widths, rows, error);
  if (!ok) stored_run_blame(run, error);
  npy_zst_reader_close(reader.reader);
  free(reader.narrow);
  free(reader.row);
  return ok;
}
