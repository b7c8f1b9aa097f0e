/* The pooling kernel in the emulator, against its twin and against host/model/widths.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cuda/twins.h"
#include "fixture.h"
#include "host/model/half.h"
#include "host/model/widths.h"
#include "machine.h"

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof *(array)))

struct pool {
  uint16_t *state; /* [tokens, hidden] */
  int32_t *offsets;
  int32_t sequences, hidden, prompt_tokens;
  bool mean;
  struct kernel_widths widths; /* each launch fills in `rows` */
};

static const int32_t bge_widths[] = {1024, 768, 512, 256, 128, 64};

static struct pool pool_make(const int32_t *lengths, int32_t sequences, int32_t hidden, bool mean,
                             const int32_t *widths, int32_t count) {
  struct random random = {(uint64_t)(hidden * 100 + sequences)};
  struct pool pool = {.offsets = offsets_make(lengths, sequences), .sequences = sequences, .hidden = hidden};
  pool.mean = mean;
  pool.state = halves_random(&random, (size_t)(pool.offsets[sequences] * hidden), 0.1f, 1);
  pool.widths.count = count;
  memcpy(pool.widths.width, widths, (size_t)count * sizeof *widths);
  return pool;
}

static void pool_free(struct pool *pool) {
  free(pool->state);
  free(pool->offsets);
}

/* A launch has one buffer. Each width's rows begin there at a multiple of 16 bytes; the verdicts follow. */
static size_t widths_place(const struct pool *pool, struct kernel_widths *widths, void *out) {
  size_t bytes = 0;
  *widths = pool->widths;
  for (int32_t w = 0; w < widths->count; w++) {
    if (out) widths->rows[w] = (uint16_t *)((char *)out + bytes);
    bytes += ((size_t)pool->sequences * (size_t)widths->width[w] * sizeof(uint16_t) + 15) / 16 * 16;
  }
  if (out) widths->verdicts = (int32_t *)((char *)out + bytes);
  return bytes + (size_t)pool->sequences * sizeof(int32_t);
}

static void launch(void *context, void *out) {
  const struct pool *pool = context;
  struct kernel_widths widths;
  widths_place(pool, &widths, out);
  assert_launched(kernel_pool(pool->state, pool->offsets, pool->sequences, pool->hidden, pool->mean,
                              pool->prompt_tokens, &widths, NULL));
}

/* The widest row equals the twin's: bit for bit with cls, because the pooled vector is the same; within one
 * fp16 step with mean, because the sum was taken in another order. Each narrower row equals what the CPU
 * derives from this widest row. */
static void rows_check(const struct pool *pool, const struct kernel_widths *rows,
                       const struct kernel_widths *twin) {
  for (int64_t s = 0; s < pool->sequences; s++) {
    const int32_t width = rows->width[0];
    const uint16_t *widest = rows->rows[0] + s * width, *expected = twin->rows[0] + s * width;
    for (int32_t i = 0; i < width; i++) {
      const float value = half_to_float(widest[i]), right = half_to_float(expected[i]);
      const float allowed = pool->mean ? fabsf(right) * 0x1p-10f + 0x1p-20f : 0;
      if (!(fabsf(value - right) <= allowed))
        fail_msg("sequence %d, number %d: %g instead of %g", (int)s, i, (double)value, (double)right);
    }
    for (int32_t w = 1; w < rows->count; w++) {
      uint16_t derived[KERNEL_HIDDEN_MAX];
      width_derive(widest, rows->width[w], derived);
      if (memcmp(derived, rows->rows[w] + s * rows->width[w], (size_t)rows->width[w] * sizeof *derived) != 0)
        fail_msg("sequence %d: width %d is not what width %d gives", (int)s, rows->width[w], width);
    }
  }
}

static void pool_check(const struct pool *pool) {
  struct kernel_widths rows, twin;
  const size_t bytes = widths_place(pool, &rows, NULL);
  char *out = memory_poisoned(bytes), *right = memory_poisoned(bytes);
  widths_place(pool, &rows, out);
  widths_place(pool, &twin, right);
  schedules_run(launch, (void *)pool, out, bytes);
  twin_pool(pool->state, pool->offsets, pool->sequences, pool->hidden, pool->mean, pool->prompt_tokens,
            &twin);
  rows_check(pool, &rows, &twin);
  assert_memory_equal(rows.verdicts, twin.verdicts, (size_t)pool->sequences * sizeof *rows.verdicts);
  free(out);
  free(right);
}

static const int32_t lengths[] = {1, 2, 3, 17, 40};

static void cls_rows_have_the_bits_of_the_cpu(void **state) {
  (void)state;
  struct pool pool = pool_make(lengths, 5, 1024, false, bge_widths, 6);
  pool_check(&pool);
  pool_free(&pool);
}

static void mean_rows_are_right_and_nest(void **state) {
  (void)state;
  static const int32_t hidden_sizes[] = {8, 384, 1024, 2048};
  for (int32_t i = 0; i < COUNT(hidden_sizes); i++) {
    const int32_t widths[] = {hidden_sizes[i], hidden_sizes[i] / 2, hidden_sizes[i] / 8};
    struct pool pool = pool_make(lengths, 5, hidden_sizes[i], true, widths, 3);
    pool_check(&pool);
    pool_free(&pool);
  }
}

/* If the first tokens' rows are gathered first, pooling gives the same result as in place. */
static void gathered_rows_pool_alike(void **state) {
  (void)state;
  struct pool pool = pool_make(lengths, 5, 1024, false, bge_widths, 6);
  const size_t bytes = widths_place(&pool, &(struct kernel_widths){0}, NULL);
  char *in_place = memory_poisoned(bytes), *gathered = memory_poisoned(bytes);
  launch(&pool, in_place);

  uint16_t *first = memory_poisoned(5 * 1024 * sizeof *first),
           *twin = memory_poisoned(5 * 1024 * sizeof *twin);
  assert_launched(kernel_first_rows(pool.state, pool.offsets, 5, 1024, first, NULL));
  twin_first_rows(pool.state, pool.offsets, 5, 1024, twin);
  assert_memory_equal(first, twin, 5 * 1024 * sizeof *first);

  struct pool rows = pool;
  rows.state = first;
  rows.offsets = NULL;
  launch(&rows, gathered);
  assert_memory_equal(in_place, gathered, bytes);
  free(in_place), free(gathered), free(first), free(twin);
  pool_free(&pool);
}

/* The prompt has two tokens: sequences with one or two tokens have nothing left, and their rows are zero. */
static void prompt_tokens_are_left_out_of_the_mean(void **state) {
  (void)state;
  struct pool pool = pool_make(lengths, 5, 384, true, (const int32_t[]){384, 128}, 2);
  pool.prompt_tokens = 2;
  pool_check(&pool);
  uint16_t *rows = memory_poisoned(widths_place(&pool, &(struct kernel_widths){0}, NULL));
  launch(&pool, rows);
  for (int32_t i = 0; i < 2 * 384; i++) assert_int_equal(rows[i], 0);
  free(rows);
  pool_free(&pool);
}

/* As many widths as allowed, most not a multiple of 8, so that most rows begin off the 16-byte grid. */
static void any_widths_work(void **state) {
  (void)state;
  static const int32_t odd[] = {379, 300, 299, 64, 33, 32, 31, 17, 16, 15, 9, 8, 7, 3, 2, 1};
  for (int mean = 0; mean < 2; mean++) {
    struct pool pool = pool_make(lengths, 5, 384, mean, odd, COUNT(odd));
    pool_check(&pool);
    pool_free(&pool);
  }
}

static void extreme_vectors_follow_the_cpu(void **state) {
  (void)state;
  static const float values[] = {0, 65504.0f, 0x1p-24f};
  static const int32_t ones[] = {1, 1, 1};
  struct pool pool = pool_make(ones, 3, 64, false, (const int32_t[]){64, 32}, 2);
  for (int32_t s = 0; s < 3; s++)
    for (int32_t i = 0; i < 64; i++) pool.state[s * 64 + i] = half_from_float(values[s]);
  pool_check(&pool);
  pool_free(&pool);
}

static void a_nan_makes_the_whole_row_nan(void **state) {
  (void)state;
  static const int32_t ones[] = {1, 1};
  struct pool pool = pool_make(ones, 2, 64, false, (const int32_t[]){64, 32}, 2);
  pool.state[64 + 63] = 0x7e00;
  uint16_t *rows = memory_poisoned(widths_place(&pool, &(struct kernel_widths){0}, NULL));
  launch(&pool, rows);
  for (int32_t i = 0; i < 64; i++) {
    assert_false(isnan(half_to_float(rows[i])));
    assert_true(isnan(half_to_float(rows[64 + i])));
  }
  free(rows);
  pool_free(&pool);
}

/* Sequences whose rows are good, not finite in one number, zero, or zero in the first numbers only. There are
 * enough widths for several rounds of warps, because one warp reports for all. */
static void verdicts_tell_which_rows_cannot_be_stored(void **state) {
  (void)state;
  enum { SEQUENCES = 5, HIDDEN = 64, WIDTHS = 12 };
  static const int32_t ones[] = {1, 1, 1, 1, 1};
  static const int32_t expected[] = {ROW_FINE, ROW_NOT_FINITE, ROW_NOT_FINITE, ROW_ZERO, ROW_ZERO};
  int32_t sizes[WIDTHS], verdicts[SEQUENCES];
  for (int32_t w = 0; w < WIDTHS; w++) sizes[w] = HIDDEN - 5 * w;
  for (int mean = 0; mean < 2; mean++)
    for (int32_t count = 1; count <= WIDTHS; count++) {
      struct pool pool = pool_make(ones, SEQUENCES, HIDDEN, mean, sizes, count);
      pool.state[1 * HIDDEN + sizes[count - 1] - 1] = 0x7e00; /* NaN */
      pool.state[2 * HIDDEN + sizes[0] - 1] = 0xfc00;         /* minus infinity, past the narrower rows */
      for (int32_t i = 0; i < HIDDEN; i++) pool.state[3 * HIDDEN + i] = i % 2 ? 0x8000 : 0;
      for (int32_t i = 0; i < sizes[count - 1]; i++) pool.state[4 * HIDDEN + i] = 0;
      const size_t bytes = widths_place(&pool, &(struct kernel_widths){0}, NULL);
      char *rows = memory_poisoned(bytes);
      launch(&pool, rows);
      memcpy(verdicts, rows + bytes - SEQUENCES * sizeof *verdicts, SEQUENCES * sizeof *verdicts);
      assert_memory_equal(verdicts, expected, sizeof expected);
      free(rows);
      pool_free(&pool);
    }
}

static void what_cannot_run_is_refused(void **state) {
  (void)state;
  struct pool pool = pool_make(lengths, 1, 64, false, (const int32_t[]){64, 64}, 2);
  uint16_t *rows = memory_poisoned(256);
  struct kernel_widths widths = {.count = 2, .width = {64, 64}, .rows = {rows, rows}};
  assert_int_equal(kernel_pool(pool.state, pool.offsets, 1, 64, false, 0, &widths, NULL),
                   cudaErrorInvalidValue);
  widths.width[1] = 32;
  widths.rows[1] = rows + 1;
  assert_int_equal(kernel_pool(pool.state, pool.offsets, 1, 64, false, 0, &widths, NULL),
                   cudaErrorInvalidValue);
  widths.rows[1] = rows + 64;
  assert_int_equal(kernel_pool(pool.state, pool.offsets, 1, 56, false, 0, &widths, NULL),
                   cudaErrorInvalidValue);
  assert_int_equal(kernel_pool(pool.state, pool.offsets, 1, 64, true, -1, &widths, NULL),
                   cudaErrorInvalidValue);
  widths.rows[0] = rows;
  assert_int_equal(kernel_pool(pool.state, NULL, 1, 64, true, 0, &widths, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_first_rows(pool.state, pool.offsets, 1, 60, rows, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_first_rows(pool.state, pool.offsets, 0, 64, rows, NULL), cudaErrorInvalidValue);
  free(rows);
  pool_free(&pool);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cls_rows_have_the_bits_of_the_cpu),
      cmocka_unit_test(mean_rows_are_right_and_nest),
      cmocka_unit_test(gathered_rows_pool_alike),
      cmocka_unit_test(prompt_tokens_are_left_out_of_the_mean),
      cmocka_unit_test(any_widths_work),
      cmocka_unit_test(extreme_vectors_follow_the_cpu),
      cmocka_unit_test(a_nan_makes_the_whole_row_nan),
      cmocka_unit_test(verdicts_tell_which_rows_cannot_be_stored),
      cmocka_unit_test(what_cannot_run_is_refused),
  };
  return fixture_run("pool", tests, sizeof tests / sizeof *tests, argc, argv);
}
