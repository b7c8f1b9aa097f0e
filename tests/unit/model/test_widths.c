/* Rows at nested widths: norm 1, and the same bits from plain code, from vector code, and for any order of
 * the sum. */
#include <math.h>

#include "host/model/half.h"
#include "host/model/widths.h"
#include "tests/unit/model/folder.h"

#define WIDTH 1031 /* not a multiple of the vector length */

/* Fills in numbers with all magnitudes that a pooled row may hold; xorshift32. */
static void values_fill(float *values, int32_t count, uint32_t seed) {
  for (int32_t i = 0; i < count; i++) {
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    values[i] = ldexpf((float)(int32_t)seed, -31 - (int)(seed % 12));
  }
}

static double row_norm(const uint16_t *row, int32_t width) {
  double sum = 0;
  for (int32_t i = 0; i < width; i++) sum += (double)half_to_float(row[i]) * half_to_float(row[i]);
  return sqrt(sum);
}

static void rows_of_every_width_have_norm_one(void **state) {
  (void)state;
  float pooled[WIDTH];
  uint16_t h[WIDTH], narrow[WIDTH];
  for (uint32_t seed = 1; seed <= 20; seed++) {
    values_fill(pooled, WIDTH, seed);
    width_normalise(pooled, WIDTH, h);
    assert_true(fabs(row_norm(h, WIDTH) - 1) < 1e-3);
    for (int32_t width = 1; width < WIDTH; width += 7) {
      width_derive(h, width, narrow);
      assert_true(fabs(row_norm(narrow, width) - 1) < 1e-3);
    }
  }
}

static void plain_and_vector_code_give_the_same_bits(void **state) {
  (void)state;
  float pooled[WIDTH];
  uint16_t row[WIDTH], plain[WIDTH], h[WIDTH];
  for (int32_t width = 1; width <= WIDTH; width += width < 40 ? 1 : 31) {
    values_fill(pooled, width, (uint32_t)width);
    width_normalise(pooled, width, row);
    width_normalise_plain(pooled, width, plain);
    assert_memory_equal(row, plain, (size_t)width * sizeof *row);
    memcpy(h, row, sizeof h);
    for (int32_t part = 1; part <= width; part += 5) {
      width_derive(h, part, row);
      width_derive_plain(h, part, plain);
      assert_memory_equal(row, plain, (size_t)part * sizeof *row);
    }
  }
}

static void widened_rows_are_the_same_numbers(void **state) {
  (void)state;
  float pooled[WIDTH], wide[WIDTH], plain[WIDTH];
  uint16_t h[WIDTH];
  for (int32_t width = 1; width <= WIDTH; width += width < 40 ? 1 : 31) {
    values_fill(pooled, width, (uint32_t)width);
    width_normalise(pooled, width, h);
    width_widen(h, width, wide);
    width_widen_plain(h, width, plain);
    assert_memory_equal(wide, plain, (size_t)width * sizeof *wide);
    for (int32_t i = 0; i < width; i++) assert_true(wide[i] == half_to_float(h[i]));
  }
}

/* The same three lines that anyone can write in NumPy; here the sum starts at the far end. */
static void narrow_rows_follow_from_the_widest_by_the_formula(void **state) {
  (void)state;
  float pooled[WIDTH];
  uint16_t h[WIDTH], narrow[WIDTH];
  values_fill(pooled, WIDTH, 7);
  width_normalise(pooled, WIDTH, h);
  for (int32_t width = 1; width <= WIDTH; width += 3) {
    double sum = 0;
    for (int32_t i = width; i-- > 0;) sum += (double)half_to_float(h[i]) * half_to_float(h[i]);
    const float scale = (float)(1 / sqrt(sum));
    width_derive(h, width, narrow);
    for (int32_t i = 0; i < width; i++)
      assert_int_equal(narrow[i], half_from_float(half_to_float(h[i]) * scale));
  }
}

/* Subnormal halves and the largest half in one row: the sum is still exact. */
static void extreme_halves_are_scaled_exactly(void **state) {
  (void)state;
  uint16_t h[16] = {0x0001, 0x8001, 0x03ff}, narrow[16], plain[16];
  width_derive(h, 2, narrow);
  assert_int_equal(narrow[0], half_from_float((float)(1 / sqrt(2))));
  assert_int_equal(narrow[1], narrow[0] | 0x8000);
  h[9] = 0x7bff;
  width_derive(h, 16, narrow);
  width_derive_plain(h, 16, plain);
  assert_memory_equal(narrow, plain, sizeof narrow);
  assert_int_equal(narrow[9], 0x3c00);
}

static void zero_rows_stay_zero(void **state) {
  (void)state;
  const float pooled[20] = {[19] = 1};
  const uint16_t zero[20] = {0};
  uint16_t h[20], narrow[20];
  width_normalise(pooled, 19, h);
  assert_memory_equal(h, zero, 19 * sizeof *h);
  width_normalise(pooled, 20, h);
  assert_int_equal(h[19], 0x3c00);
  width_derive(h, 11, narrow);
  assert_memory_equal(narrow, zero, 11 * sizeof *narrow);
}

static void not_a_number_shows_in_the_whole_row(void **state) {
  (void)state;
  const float pooled[9] = {1, 2, NAN, 4, 5, 6, 7, 8, 9};
  uint16_t row[9];
  width_normalise(pooled, 9, row);
  for (int i = 0; i < 9; i++) assert_true(isnan(half_to_float(row[i])));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_of_every_width_have_norm_one),
      cmocka_unit_test(plain_and_vector_code_give_the_same_bits),
      cmocka_unit_test(narrow_rows_follow_from_the_widest_by_the_formula),
      cmocka_unit_test(extreme_halves_are_scaled_exactly),
      cmocka_unit_test(widened_rows_are_the_same_numbers),
      cmocka_unit_test(zero_rows_stay_zero),
      cmocka_unit_test(not_a_number_shows_in_the_whole_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
