#include "host/job/stored_rows.h"

#include <stdlib.h>

#include "host/job/row_reader.h"
#include "host/model/half.h"
#include "host/model/widths.h"

/* Widens one row, of the widest width, to every width as row `at`. */
static void row_store(const uint16_t *row, int32_t widest, int64_t at, int32_t width_count,
                      const int32_t *widths, uint16_t *narrow, float **rows) {
  for (int32_t w = 0; w < width_count; w++) {
    const int32_t width = widths[w];
    const uint16_t *values = row;
    if (width < widest) {
      width_derive(row, width, narrow);
      values = narrow;
    }
    for (int32_t i = 0; i < width; i++) rows[w][at * width + i] = half_to_float(values[i]);
  }
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
  const int32_t widest = run->widths[0];
  if (!rows_allocate(count, width_count, widths, rows, error)) return false;
  uint16_t *narrow = malloc((size_t)widest * sizeof *narrow);
  if (!narrow) return error_set_memory(error, (size_t)widest * sizeof *narrow, "a vector");
  struct row_reader *reader = row_reader_open(run, widest, error);
  bool ok = reader != NULL;
  for (int64_t i = 0; ok && i < count; i++) {
    const uint16_t *row = row_reader_read(reader, chosen[i], error);
    ok = row != NULL;
    if (ok) row_store(row, widest, i, width_count, widths, narrow, rows);
  }
  if (!ok) stored_run_blame(run, error);
  row_reader_close(reader);
  free(narrow);
  return ok;
}
