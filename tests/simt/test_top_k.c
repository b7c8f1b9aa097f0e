/* The search kernels in the emulator, against their twins and the host's own scores. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cuda/twins.h"
#include "fixture.h"
#include "host/model/half.h"
#include "machine.h"

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof *(array)))

#define HALF_NAN 0x7e00
#define HALF_INFINITY 0x7c00

/* --- Rows ----------------------------------------------------------------------------------------------- */

struct rows {
  const uint16_t *stored; /* [count, stored_width] */
  int32_t stored_width, count, width;
  bool as_stored; /* no narrow rows */
};

static size_t narrow_bytes(const struct rows *rows) {
  return rows->as_stored ? 0 : (size_t)(rows->count * top_k_stride(rows->width)) * sizeof(uint16_t);
}

static size_t rows_bytes(const struct rows *rows) {
  return narrow_bytes(rows) + (size_t)rows->count * sizeof(float);
}

/* `out` holds the narrow rows, whose size is a multiple of 16 bytes, then the norms. */
static void rows_launch(void *context, void *out) {
  const struct rows *rows = context;
  assert_launched(kernel_top_k_rows(rows->stored, rows->stored_width, rows->count, rows->width,
                                    rows->as_stored ? NULL : out, (float *)((char *)out + narrow_bytes(rows)),
                                    NULL));
}

/* The rows must be equal to the last bit. The norms may be off by what fp32 and a row's rounding cause. */
static void rows_check(struct rows *rows) {
  const size_t bytes = rows_bytes(rows), narrow = narrow_bytes(rows);
  char *out = memory_poisoned(bytes), *twin = memory_poisoned(bytes);
  schedules_run(rows_launch, rows, out, bytes);
  twin_top_k_rows(rows->stored, rows->stored_width, rows->count, rows->width,
                  rows->as_stored ? NULL : (uint16_t *)twin, (float *)(twin + narrow));
  assert_memory_equal(out, twin, narrow);
  for (int32_t r = 0; r < rows->count; r++) {
    const float norm = ((float *)(out + narrow))[r], right = ((float *)(twin + narrow))[r];
    if (!(norm == right || fabsf(norm - right) <= 0.001f * right || (isnan(norm) && isnan(right))))
      fail_msg("row %d of %d numbers of %d: its length is %g, not %g", r, rows->width, rows->stored_width,
               (double)norm, (double)right);
  }
  free(out);
  free(twin);
}

static void rows_are_those_of_the_host(void **state) {
  (void)state;
  static const int32_t widths[][2] = {{1024, 1024}, {1024, 768}, {1024, 64}, {384, 384}, {384, 379}, {37, 37},
                                      {37, 20},     {37, 8},     {17, 1},    {8, 8},     {1, 1}};
  static const int32_t counts[] = {1, 4, 33, 67};
  for (int32_t w = 0; w < COUNT(widths); w++)
    for (int32_t c = 0; c < COUNT(counts); c++) {
      struct random random = {(uint64_t)(w * 100 + c + 1)};
      struct rows rows = {.stored_width = widths[w][0], .count = counts[c], .width = widths[w][1]};
      rows.stored = halves_random(&random, (size_t)(rows.count * rows.stored_width), 0, 1);
      rows_check(&rows);
      rows.as_stored = rows.width == rows.stored_width;
      if (rows.as_stored) rows_check(&rows);
      free((void *)rows.stored);
    }
}

static void rows_of_any_length_derive_as_on_the_host(void **state) {
  (void)state;
  static const float deviations[] = {0, 0x1p-22f, 0x1p-12f, 20000};
  for (int32_t d = 0; d < COUNT(deviations); d++) {
    struct random random = {(uint64_t)(d + 1)};
    struct rows rows = {.stored_width = 100, .count = 9, .width = 60};
    rows.stored = halves_random(&random, 900, 0, deviations[d]);
    for (int32_t i = 0; i < 900; i++) /* another test covers infinities */
      if ((rows.stored[i] & HALF_INFINITY) == HALF_INFINITY) ((uint16_t *)rows.stored)[i] = 0x7bff;
    rows_check(&rows);
    free((void *)rows.stored);
  }
}

static void nan_shows_in_the_norm_alone_of_its_row(void **state) {
  (void)state;
  for (int as_stored = 0; as_stored < 2; as_stored++) {
    struct random random = {5};
    uint16_t *stored = halves_random(&random, 5 * 64, 0, 1);
    struct rows rows = {stored, 64, 5, as_stored ? 64 : 40, as_stored};
    stored[1 * 64 + 39] = HALF_NAN;
    stored[2 * 64 + 39] = HALF_INFINITY;
    stored[3 * 64 + 63] = HALF_NAN; /* past the narrow row */
    char *out = memory_poisoned(rows_bytes(&rows));
    rows_launch(&rows, out);
    const float *norm = (const float *)(out + narrow_bytes(&rows));
    assert_true(isfinite(norm[0]) && isnan(norm[1]) && isfinite(norm[4]));
    assert_true(as_stored ? isinf(norm[2]) : isnan(norm[2])); /* infinity over infinity */
    assert_int_equal(isnan(norm[3]) != 0, as_stored);
    free(out);
    free(stored);
  }
}

/* --- Selection ------------------------------------------------------------------------------------------ */

struct selection {
  float *scores, *norm, *least, *slack;
  int32_t passages, queries, columns, capacity;
};

static struct selection selection_make(int32_t passages, int32_t queries, int32_t columns, float bar) {
  struct random random = {(uint64_t)(passages * 1000 + queries)};
  struct selection it = {.passages = passages, .queries = queries, .columns = columns};
  it.scores = floats_random(&random, (size_t)(passages * columns), 0, 1);
  it.norm = floats_random(&random, (size_t)passages, 1, 0.3f);
  it.least = floats_random(&random, (size_t)columns, bar, 0.1f);
  it.slack = floats_random(&random, (size_t)columns, 0.1f, 0);
  for (int32_t p = 0; p < passages; p++) {
    it.norm[p] = fabsf(it.norm[p]);
    for (int32_t q = queries; q < columns; q++) it.scores[p * columns + q] = NAN; /* belongs to no query */
  }
  it.capacity = passages * columns;
  return it;
}

static void selection_free(struct selection *it) {
  free(it->scores), free(it->norm), free(it->least), free(it->slack);
}

static int candidate_compare(const void *a, const void *b) {
  const struct top_k_candidate *x = a, *y = b;
  if (x->passage != y->passage) return x->passage < y->passage ? -1 : 1;
  return (x->query > y->query) - (x->query < y->query);
}

static size_t selection_bytes(const struct selection *it) {
  return (size_t)it->capacity * sizeof(struct top_k_candidate) + sizeof(uint32_t);
}

static uint32_t *found_in(const struct selection *it, void *out) {
  return (uint32_t *)((struct top_k_candidate *)out + it->capacity);
}

/* Writes the candidates and sorts them, because the kernel promises no order. */
static void selection_launch(void *context, void *out) {
  const struct selection *it = context;
  uint32_t *found = found_in(it, out);
  *found = 0;
  assert_launched(kernel_top_k_select(it->scores, it->norm, it->least, it->slack, it->passages, it->queries,
                                      it->columns, out, it->capacity, found, NULL));
  if (*found <= (uint32_t)it->capacity) qsort(out, *found, sizeof(struct top_k_candidate), candidate_compare);
}

/* Returns how many candidates there are. */
static uint32_t selection_check(struct selection *it) {
  const size_t bytes = selection_bytes(it);
  void *out = memory_poisoned(bytes), *twin = memory_poisoned(bytes);
  schedules_run(selection_launch, it, out, bytes);
  *found_in(it, twin) = 0;
  twin_top_k_select(it->scores, it->norm, it->least, it->slack, it->passages, it->queries, it->columns, twin,
                    it->capacity, found_in(it, twin));
  const uint32_t found = *found_in(it, twin);
  assert_int_equal(*found_in(it, out), found);
  assert_memory_equal(out, twin, found * sizeof(struct top_k_candidate));
  free(out);
  free(twin);
  return found;
}

/* Bars that no score reaches, few, many or all scores reach; and tails of all kinds. */
static void candidates_are_those_of_the_twin(void **state) {
  (void)state;
  static const int32_t sizes[][3] = {{1, 1, 16}, {5, 16, 16}, {33, 13, 16}, {130, 30, 32}, {7, 200, 208}};
  static const float bars[] = {100, 2, 0, -100, -INFINITY};
  uint32_t found[COUNT(bars)] = {0};
  for (int32_t s = 0; s < COUNT(sizes); s++)
    for (int32_t b = 0; b < COUNT(bars); b++) {
      struct selection it = selection_make(sizes[s][0], sizes[s][1], sizes[s][2], bars[b]);
      found[b] += selection_check(&it);
      selection_free(&it);
    }
  assert_int_equal(found[0], 0);
  assert_true(found[1] > 0 && found[1] < found[2]);
  assert_int_equal(found[3], found[4]); /* all */
}

/* A passage is a candidate if its score is below the bar by at most slack times norm. */
static void slack_is_given_by_the_length_of_the_passage(void **state) {
  (void)state;
  struct selection it = selection_make(2, 2, 16, 0);
  for (int32_t q = 0; q < 2; q++) it.least[q] = 1, it.slack[q] = 0.25f;
  it.norm[0] = 1, it.norm[1] = 2;
  for (int32_t p = 0; p < 2; p++) it.scores[p * 16] = 0.75f, it.scores[p * 16 + 1] = 0.5f;
  assert_int_equal(selection_check(&it), 3);
  selection_free(&it);
}

static void broken_passages_are_passed_over_and_infinite_ones_are_looked_at(void **state) {
  (void)state;
  struct selection it = selection_make(4, 16, 16, 100);
  it.norm[1] = NAN;
  it.norm[2] = INFINITY;
  for (int32_t q = 0; q < 16; q++) {
    it.scores[16 + q] = NAN;
    it.scores[2 * 16 + q] = q % 3 == 0 ? NAN : q % 3 == 1 ? INFINITY : -INFINITY;
  }
  assert_int_equal(selection_check(&it), 16);
  selection_free(&it);
}

/* The kernel goes on counting, so that the host learns the full count; memory after the list stays
 * unchanged. */
static void list_that_is_full_is_not_overrun(void **state) {
  (void)state;
  struct selection it = selection_make(40, 16, 16, -INFINITY);
  it.capacity = 101;
  struct top_k_candidate *out = memory_poisoned(selection_bytes(&it));
  selection_launch(&it, out);
  assert_int_equal(*found_in(&it, out), 640);
  qsort(out, 101, sizeof *out, candidate_compare);
  for (int32_t c = 0; c < 101; c++) {
    assert_in_range(out[c].passage, 0, 39);
    assert_in_range(out[c].query, 0, 15);
    assert_true(out[c].score == it.scores[out[c].passage * 16 + out[c].query]);
    assert_true(c == 0 || candidate_compare(&out[c - 1], &out[c]) < 0);
  }
  free(out);
  selection_free(&it);
}

/* --- Scores --------------------------------------------------------------------------------------------- */

struct scoring {
  uint16_t *rows, *queries;
  float *norm, *slack;
  struct top_k_candidate *candidates;
  int32_t stride, count;
};

static void scoring_launch(void *context, void *out) {
  const struct scoring *it = context;
  memcpy(out, it->candidates, (size_t)it->count * sizeof *it->candidates);
  assert_launched(
      kernel_top_k_score(it->rows, it->queries, it->stride, it->norm, it->slack, out, it->count, NULL));
}

enum { PASSAGES = 50, QUERIES = 20 };

static void scoring_make(struct scoring *it, struct random *random, int32_t stride, int32_t count) {
  *it = (struct scoring){.stride = stride, .count = count};
  it->rows = halves_random(random, (size_t)(PASSAGES * stride), 0, 1);
  it->queries = halves_random(random, (size_t)(QUERIES * stride), 0, 1);
  it->norm = memory_poisoned(PASSAGES * sizeof *it->norm);
  it->slack = memory_poisoned(QUERIES * sizeof *it->slack);
  it->candidates = memory_poisoned((size_t)count * sizeof *it->candidates);
  for (int32_t p = 0; p < PASSAGES; p++) it->norm[p] = 1.5f + (float)p / 8;
  for (int32_t q = 0; q < QUERIES; q++) it->slack[q] = 0.125f * (float)(q + 1);
}

static void scoring_free(struct scoring *it) {
  free(it->rows), free(it->queries), free(it->norm), free(it->slack), free(it->candidates);
}

static void scores_have_the_bits_of_the_host(void **state) {
  (void)state;
  static const int32_t strides[] = {8, 24, 64, 384, 1024}, counts[] = {1, 63, 64, 65, 200};
  for (int32_t s = 0; s < COUNT(strides); s++) {
    struct random random = {(uint64_t)strides[s]};
    struct scoring it;
    scoring_make(&it, &random, strides[s], counts[s]);
    it.rows[3] = HALF_INFINITY;
    const size_t bytes = (size_t)it.count * sizeof *it.candidates;
    struct top_k_candidate *out = memory_poisoned(bytes), *twin = memory_poisoned(bytes);
    for (int32_t c = 0; c < it.count; c++) {
      const int32_t query = (int32_t)random_below(&random, QUERIES);
      it.candidates[c] = (struct top_k_candidate){query, (int32_t)random_below(&random, PASSAGES), 0, 0};
    }
    it.candidates[it.count - 1] = (struct top_k_candidate){QUERIES - 1, PASSAGES - 1, 0, 0};
    schedules_run(scoring_launch, &it, out, bytes);
    memcpy(twin, it.candidates, bytes);
    twin_top_k_score(it.rows, it.queries, it.stride, it.norm, it.slack, twin, it.count);
    assert_memory_equal(out, twin, bytes);
    scoring_free(&it);
    free(out), free(twin);
  }
}

/* A product may be off by a bound: scores at the bound, just past it, infinite and NaN. */
static void product_that_errs_too_much_is_marked(void **state) {
  (void)state;
  struct random random = {5};
  struct scoring it;
  scoring_make(&it, &random, 64, 8 * QUERIES);
  const size_t bytes = (size_t)it.count * sizeof *it.candidates;
  struct top_k_candidate *out = memory_poisoned(bytes);
  for (int32_t i = 0; i < 64; i++) it.rows[i] = it.rows[64 + i] = 0;
  it.rows[64] = HALF_INFINITY;
  for (int32_t c = 0; c < it.count; c++) {
    /* With passage 0 the exact score is 0; with passage 1 it is not finite. */
    const int32_t query = c / 8, passage = c % 8 == 7;
    const float bound = it.slack[query] * it.norm[0], past = nextafterf(bound, INFINITY);
    const float products[] = {0, bound, -bound, past, -past, INFINITY, NAN, 0};
    it.candidates[c] = (struct top_k_candidate){query, passage, products[c % 8], 0};
  }
  schedules_run(scoring_launch, &it, out, bytes);
  for (int32_t c = 0; c < it.count; c++) assert_int_equal(out[c].astray, c % 8 > 2 && c % 8 < 7);
  scoring_free(&it);
  free(out);
}

static void what_cannot_run_is_refused(void **state) {
  (void)state;
  uint16_t *rows = memory_poisoned(256);
  float *numbers = memory_poisoned(256);
  struct top_k_candidate *list = memory_poisoned(256);
  uint32_t found = 0;
  assert_int_equal(kernel_top_k_rows(rows, 8, 0, 8, rows, numbers, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_top_k_rows(rows, 8, 1, 9, rows, numbers, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_top_k_rows(rows, 8, 1, 4, NULL, numbers, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_top_k_rows(rows, 8, 1, 8, rows + 1, numbers, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_top_k_select(numbers, numbers, numbers, numbers, 1, 5, 4, list, 4, &found, NULL),
                   cudaErrorInvalidValue);
  assert_int_equal(kernel_top_k_select(numbers, numbers, numbers, numbers, 1, 5, 6, list, 4, &found, NULL),
                   cudaErrorInvalidValue);
  assert_int_equal(
      kernel_top_k_select(numbers, numbers, numbers, numbers, 1 << 30, 4, 4, list, 4, &found, NULL),
      cudaErrorInvalidValue);
  assert_int_equal(kernel_top_k_score(rows, rows, 12, numbers, numbers, list, 1, NULL),
                   cudaErrorInvalidValue);
  assert_int_equal(kernel_top_k_score(rows, rows, 8, numbers, numbers, list, 0, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_top_k_score(rows + 1, rows, 8, numbers, numbers, list, 1, NULL),
                   cudaErrorInvalidValue);
  free(rows), free(numbers), free(list);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_those_of_the_host),
      cmocka_unit_test(rows_of_any_length_derive_as_on_the_host),
      cmocka_unit_test(nan_shows_in_the_norm_alone_of_its_row),
      cmocka_unit_test(candidates_are_those_of_the_twin),
      cmocka_unit_test(slack_is_given_by_the_length_of_the_passage),
      cmocka_unit_test(broken_passages_are_passed_over_and_infinite_ones_are_looked_at),
      cmocka_unit_test(list_that_is_full_is_not_overrun),
      cmocka_unit_test(scores_have_the_bits_of_the_host),
      cmocka_unit_test(product_that_errs_too_much_is_marked),
      cmocka_unit_test(what_cannot_run_is_refused),
  };
  return fixture_run("top_k", tests, sizeof tests / sizeof *tests, argc, argv);
}
