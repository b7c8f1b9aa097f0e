/* For search tests: random vectors, and the plainest possible search to compare with. */
#pragma once

#include <math.h>

#include "host/model/half.h"
#include "host/model/widths.h"
#include "host/retrieval/top_k.h"
#include "host/retrieval/vector_files.h"
#include "io/npy_zst.h"
#include "tests/unit/io/scratch.h"

/* Numbers from -1 to 1 in steps of 1/64: so few that some scores tie if the width is small. */
static inline float vector_number(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)((int32_t)(*state >> 25) - 64) / 64;
}

/* Returns [count, width] fp16 with norm 1; the caller frees them. */
static inline uint16_t *vectors_make(uint32_t seed, int64_t count, int32_t width) {
  float *row = calloc((size_t)width, sizeof *row);
  uint16_t *rows = calloc((size_t)count, (size_t)width * sizeof *rows);
  assert_true(row && rows);
  for (int64_t r = 0; r < count; r++) {
    for (int32_t i = 0; i < width; i++) row[i] = vector_number(&seed);
    width_normalise(row, width, rows + r * width);
  }
  free(row);
  return rows;
}

/* Writes such rows as a vector file. */
static inline void vectors_write(const char *path, const uint16_t *rows, int64_t count, int32_t width) {
  struct error error;
  struct file_writer writer;
  assert_ok(file_writer_open(&writer, path, &error), &error);
  assert_ok(npy_zst_write(&writer, rows, count, width, 1, &error), &error);
  assert_ok(file_writer_commit(&writer, NULL, &error), &error);
}

/* Cuts rows at border[0 … count] into `count` files in a scratch folder; fills in paths and files. */
static inline void vectors_store(void *folder, const uint16_t *rows, int32_t width, const int64_t *border,
                                 int count, char (*paths)[512], struct vector_file *files) {
  for (int f = 0; f < count; f++) {
    char name[32];
    sprintf(name, "part-%d.npy.zst", f);
    const char *path = scratch_path(paths[f], folder, name);
    files[f] = (struct vector_file){.path = path, .first_row = border[f], .rows = border[f + 1] - border[f]};
    vectors_write(path, rows + border[f] * width, files[f].rows, width);
  }
}

/* Returns such rows in fp32; the caller frees them. */
static inline float *queries_make(uint32_t seed, int64_t count, int32_t width) {
  uint16_t *rows = vectors_make(seed, count, width);
  float *wide = calloc((size_t)count, (size_t)width * sizeof *wide);
  assert_non_null(wide);
  for (int64_t i = 0; i < count * width; i++) wide[i] = half_to_float(rows[i]);
  free(rows);
  return wide;
}

/* Finds the best k among `count` passages for one query, by the definition in host/retrieval/top_k.h: hits
 * [count], best first. Returns how many it found. */
static inline int32_t plain_search(const float *query, const uint16_t *rows, int64_t count, int32_t width,
                                   int32_t k, const uint32_t *order, struct hit *hits) {
  int32_t found = 0;
  for (int64_t r = 0; r < count; r++) {
    float score = 0;
    for (int32_t i = 0; i < width; i++) score = fmaf(query[i], half_to_float(rows[r * width + i]), score);
    if (!isnan(score)) hits[found++] = (struct hit){r, score};
  }
  hits_sort(hits, found, order);
  return found < k ? found : k;
}

static inline void assert_hits(const struct hit *ours, int32_t our_count, const struct hit *theirs,
                               int32_t their_count) {
  assert_int_equal(our_count, their_count);
  for (int32_t i = 0; i < our_count; i++)
    if (ours[i].row != theirs[i].row || ours[i].score != theirs[i].score)
      fail_msg("hit %d is row %lld with %.9g: expected row %lld with %.9g", i, (long long)ours[i].row,
               ours[i].score, (long long)theirs[i].row, theirs[i].score);
}
