#include "host/job/rescore.h"

#include <math.h>
#include <stdlib.h>

#include "host/job/row_reader.h"

/* A row that the narrow scan found for a question. */
struct near_row {
  int64_t row; /* as in the hits */
  int64_t question;
};

static int near_compare(const void *a, const void *b) {
  const struct near_row *one = a, *other = b;
  return (one->row > other->row) - (one->row < other->row);
}

/* Lists what the narrow scan found, in the order of rows. The caller frees the list. */
static struct near_row *near_list(const struct top_k *narrow, int32_t narrow_k, int64_t questions,
                                  int64_t *count, struct error *error) {
  struct near_row *near = calloc((size_t)questions * (size_t)narrow_k, sizeof *near);
  struct hit *hits = calloc((size_t)narrow_k, sizeof *hits);
  *count = 0;
  if (!near || !hits) {
    error_set_memory(error, (size_t)questions * (size_t)narrow_k * sizeof *near, "rows to score again");
    free(hits);
    free(near);
    return NULL;
  }
  for (int64_t q = 0; q < questions; q++) {
    const int32_t found = top_k_list(narrow, 0, q, hits);
    for (int32_t i = 0; i < found; i++) near[(*count)++] = (struct near_row){hits[i].row, q};
  }
  free(hits);
  qsort(near, (size_t)*count, sizeof *near, near_compare);
  return near;
}

static bool near_score(const struct near_row *near, int64_t count, const struct row_filter *filter,
                       struct row_reader *reader, const struct top_k_options *options, struct top_k *wide,
                       struct error *error) {
  const int32_t width = options->widths[0];
  const uint16_t *values = NULL;
  for (int64_t i = 0; i < count; i++) {
    if (i == 0 || near[i].row != near[i - 1].row)
      values = row_reader_read(reader, filter ? row_filter_row(filter, near[i].row) : near[i].row, error);
    if (!values) return false;
    const float *question = options->query_rows[0] + near[i].question * width;
    const struct hit hit = {near[i].row, top_k_score(question, values, width)};
    if (!isnan(hit.score)) top_k_add(wide, 0, near[i].question, &hit, 1);
  }
  return true;
}

struct top_k *rescore(const struct stored_run *run, const struct top_k *narrow, int32_t narrow_k,
                      const struct row_filter *filter, const struct top_k_options *options,
                      int64_t *bytes_read, struct error *error) {
  int64_t count;
  struct row_reader *reader = NULL;
  struct top_k *wide = NULL;
  struct near_row *near = near_list(narrow, narrow_k, options->queries, &count, error);
  if (near) reader = row_reader_open(run, options->widths[0], error);
  if (reader) wide = top_k_open(options, error);
  if (wide && !near_score(near, count, filter, reader, options, wide, error)) {
    stored_run_blame(run, error);
    top_k_close(wide);
    wide = NULL;
  }
  if (reader) *bytes_read = row_reader_bytes_read(reader);
  row_reader_close(reader);
  free(near);
  return wide;
}
