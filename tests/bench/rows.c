#include "tests/bench/rows.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/half.h"
#include "io/npy_zst.h"

struct rows {
  uint16_t *values; /* [count, width] */
  int64_t count;
  int32_t width;
};

static bool part_append(struct rows *rows, const char *path, struct error *error) {
  struct npy_zst_reader *reader = npy_zst_reader_open(path, error);
  if (!reader) return false;
  const int64_t more = npy_zst_reader_rows(reader);
  const int32_t width = npy_zst_reader_width(reader);
  bool done = rows->width == 0 || rows->width == width ||
              error_set(error, ERROR_INPUT, "%s has rows of width %d: expected %d", path, width, rows->width);
  rows->width = width;
  const size_t bytes = (size_t)(rows->count + more) * (size_t)width * sizeof *rows->values;
  uint16_t *grown = done && bytes > 0 ? realloc(rows->values, bytes) : NULL;
  if (grown) rows->values = grown;
  if (done && bytes > 0 && !grown) done = error_set_memory(error, bytes, "rows");
  done =
      done && (more == 0 || npy_zst_reader_read(reader, 0, more, rows->values + rows->count * width, error));
  rows->count += more;
  npy_zst_reader_close(reader);
  return done;
}

static bool rows_read(struct rows *rows, const char *folder, struct error *error) {
  char pattern[4096];
  glob_t found = {.gl_pathc = 0};
  snprintf(pattern, sizeof pattern, "%s/part-*.npy.zst", folder);
  bool done =
      glob(pattern, 0, NULL, &found) == 0 ||
      error_set(error, ERROR_INPUT, "%s has no part-*.npy.zst: expected the vectors of a run", folder);
  for (size_t i = 0; i < found.gl_pathc && done; i++) done = part_append(rows, found.gl_pathv[i], error);
  globfree(&found);
  return done;
}

static double cosine(const uint16_t *a, const uint16_t *b, int32_t width) {
  double product = 0, squares[2] = {0, 0};
  for (int32_t i = 0; i < width; i++) {
    const double x = (double)half_to_float(a[i]), y = (double)half_to_float(b[i]);
    product += x * y;
    squares[0] += x * x;
    squares[1] += y * y;
  }
  const double value = product / sqrt(squares[0] * squares[1]);
  return isnan(value) ? -1 : value;
}

bool rows_compare(const char *folder, const char *expected, struct rows_compared *compared,
                  struct error *error) {
  struct rows a = {.count = 0}, b = {.count = 0};
  bool done = rows_read(&a, folder, error) && rows_read(&b, expected, error);
  if (done && (a.count != b.count || a.width != b.width || a.count == 0))
    done = error_set(error, ERROR_INPUT, "%s has %lld rows of width %d, %s %lld of width %d", folder,
                     (long long)a.count, a.width, expected, (long long)b.count, b.width);
  if (done) {
    *compared = (struct rows_compared){.rows = a.count, .least = 1};
    for (int64_t i = 0; i < a.count; i++) {
      const double value = cosine(a.values + i * a.width, b.values + i * a.width, a.width);
      compared->least = fmin(compared->least, value);
      compared->mean += value / (double)a.count;
    }
  }
  free(a.values);
  free(b.values);
  return done;
}
