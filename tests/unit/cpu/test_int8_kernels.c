/* int8's passes between products, with every instruction set that this machine has. Rotating and rounding
 * have the bits of the scalar reference; the other passes are near their definitions in fp64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above. */
#include <cmocka.h>

#include <float.h>

#include "host/cpu/kernels.h"
#include "tests/unit/cpu/random_model.h"

enum { ROWS = 3, COLUMNS_MAX = 4096 };

/* The kernels that this processor can run. */
static const struct kernels *tables[ISA_AVX512_BF16 + 1];
static int table_count;

static void tables_find(void) {
  for (int isa = 0; isa <= (int)isa_detect(); isa++)
    if (kernels_of((enum isa)isa)) tables[table_count++] = kernels_of((enum isa)isa);
}

/* A row of bytes, and buffers for its making. */
static float from[ROWS * COLUMNS_MAX], factor[COLUMNS_MAX], row[COLUMNS_MAX], wanted_row[COLUMNS_MAX];
static uint16_t narrow[ROWS * COLUMNS_MAX];
static uint8_t bytes[ROWS * COLUMNS_MAX + 1];
static float scales[ROWS];

/* The rotation by its definition. */
static void rotate(float *x, int32_t columns, int32_t block, int32_t stride) {
  for (int32_t first = 0; block > 0 && first < columns; first += block)
    for (int32_t distance = stride; distance < block; distance *= 2)
      for (int32_t i = first; i < first + block; i++) {
        if ((i - first) / distance % 2) continue;
        const float a = x[i], b = x[i + distance];
        x[i] = a + b;
        x[i + distance] = a - b;
      }
}

static float greatest(const float *x, int32_t columns) {
  float top = 0;
  for (int32_t i = 0; i < columns; i++) top = fmaxf(top, fabsf(x[i]));
  return top;
}

/* Random numbers with a large one here and there, as activations are. */
static float outlier_number(uint64_t *state) {
  const float x = random_number(state);
  return random_bits(state) % 97 ? x : 40 * x;
}

static void check_rounding(const struct kernels *kernels, int32_t columns, int32_t block, bool factors) {
  const struct byte_form form = {factors ? factor : NULL, columns, block};
  uint64_t state = 7;
  for (int32_t i = 0; i < ROWS * columns; i++) from[i] = outlier_number(&state);
  for (int32_t i = 0; i < columns; i++) factor[i] = ldexpf(1, (int)(random_bits(&state) % 9) - 4);
  bytes[ROWS * columns] = 0x5a;
  kernels->int8->f32_to_bytes(&form, from, ROWS, row, (struct byte_rows){bytes, scales});
  assert_int_equal(bytes[ROWS * columns], 0x5a);
  for (int32_t r = 0; r < ROWS; r++) {
    for (int32_t i = 0; i < columns; i++) wanted_row[i] = from[r * columns + i] * (factors ? factor[i] : 1);
    rotate(wanted_row, columns, block, 1);
    const float top = greatest(wanted_row, columns);
    assert_true(scales[r] == top / BYTE_MAX);
    for (int32_t i = 0; i < columns; i++) {
      const int byte = (int)rintf(wanted_row[i] * (BYTE_MAX / top)) + BYTE_ZERO;
      if (bytes[r * columns + i] != byte)
        fail_msg("%s, %d columns in blocks of %d: byte %d of row %d is %d, not %d", isa_name(kernels->isa),
                 columns, block, i, r, bytes[r * columns + i], byte);
    }
  }
}

static void rotated_bytes_are_the_reference_s_bit_for_bit(void **state) {
  (void)state;
  for (int t = 0; t < table_count; t++)
    for (int factors = 0; factors < 2; factors++) {
      check_rounding(tables[t], 384, 128, factors);
      check_rounding(tables[t], 1024, 128, factors);
      check_rounding(tables[t], 192, 64, factors);
      check_rounding(tables[t], 96, 32, factors);
      check_rounding(tables[t], 48, 0, factors);
    }
}

static void bf16_rows_become_bytes(void **state) {
  enum { COLUMNS = 384 };
  const struct byte_form form = {NULL, COLUMNS, 0};
  uint64_t seed = 3;
  (void)state;
  for (int i = 0; i < ROWS * COLUMNS; i++) narrow[i] = bfloat_from_float(outlier_number(&seed));
  for (int t = 0; t < table_count; t++) {
    tables[t]->int8->bf16_to_bytes(&form, narrow, ROWS, row, (struct byte_rows){bytes, scales});
    for (int r = 0; r < ROWS; r++) {
      for (int i = 0; i < COLUMNS; i++) wanted_row[i] = bfloat_to_float(narrow[r * COLUMNS + i]);
      const float top = greatest(wanted_row, COLUMNS);
      assert_true(scales[r] == top / BYTE_MAX);
      for (int i = 0; i < COLUMNS; i++)
        assert_int_equal(bytes[r * COLUMNS + i], (int)rintf(wanted_row[i] * (BYTE_MAX / top)) + BYTE_ZERO);
    }
  }
}

/* A row of zeros stays zero. A row of numbers so small that BYTE_MAX divided by them overflows is as good as
 * zero. */
static void rows_of_zeros_stay_zero(void **state) {
  enum { COLUMNS = 64 };
  static const float numbers[] = {0, FLT_MIN / 4, FLT_MIN, 3e-37f, -3.7e-37f};
  const struct byte_form form = {NULL, COLUMNS, 64};
  (void)state;
  for (int t = 0; t < table_count; t++)
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
      for (int i = 0; i < COLUMNS; i++) from[i] = i == 5 ? numbers[n] : 0;
      tables[t]->int8->f32_to_bytes(&form, from, 1, row, (struct byte_rows){bytes, scales});
      assert_true(scales[0] == 0);
      for (int i = 0; i < COLUMNS; i++) assert_int_equal(bytes[i], BYTE_ZERO);
      for (int i = 0; i < COLUMNS; i++) from[i] = i == 5 ? 3.8e-37f : 0;
      tables[t]->int8->f32_to_bytes(&form, from, 1, row, (struct byte_rows){bytes, scales});
      assert_true(scales[0] > 0);
      for (int i = 0; i < COLUMNS; i++) assert_int_equal(abs(bytes[i] - BYTE_ZERO), BYTE_MAX);
    }
}

/* Otherwise a broken text would get a row that looks right. */
static void a_row_with_a_number_that_is_not_finite_has_no_scale(void **state) {
  enum { COLUMNS = 384 };
  static const float numbers[] = {NAN, INFINITY, -INFINITY};
  (void)state;
  for (int t = 0; t < table_count; t++)
    for (int n = 0; n < 3; n++)
      for (int32_t block = 0; block <= 128; block += 128)
        for (int at = 0; at < COLUMNS; at += 29) {
          const struct byte_form form = {NULL, COLUMNS, block};
          for (int i = 0; i < COLUMNS; i++) narrow[i] = bfloat_from_float(from[i] = i == at ? numbers[n] : 1);
          tables[t]->int8->f32_to_bytes(&form, from, 1, row, (struct byte_rows){bytes, scales});
          assert_true(isnan(scales[0]));
          tables[t]->int8->bf16_to_bytes(&form, narrow, 1, row, (struct byte_rows){bytes, scales});
          assert_true(isnan(scales[0]));
        }
}

/* A product's sums, and the numbers for which they stand. */
static int32_t sums[ROWS * COLUMNS_MAX], correction[COLUMNS_MAX];
static float scale[COLUMNS_MAX], bias[COLUMNS_MAX], sum_scales[ROWS];
static double numbers[ROWS * COLUMNS_MAX];

static struct sums_form sums_make(int32_t columns) {
  uint64_t state = 11;
  for (int32_t i = 0; i < columns; i++) {
    correction[i] = (int32_t)(random_bits(&state) % 2000000) - 1000000;
    scale[i] = 0.01f + 0.001f * random_number(&state);
    bias[i] = random_number(&state);
  }
  for (int32_t r = 0; r < ROWS; r++) sum_scales[r] = 0.004f + 0.001f * random_number(&state);
  for (int32_t i = 0; i < ROWS * columns; i++) {
    const int32_t column = i % columns;
    sums[i] = (int32_t)(random_bits(&state) % 160000) - 80000 - correction[column];
    numbers[i] =
        (double)(sums[i] + correction[column]) * sum_scales[i / columns] * scale[column] + bias[column];
  }
  return (struct sums_form){correction, scale, bias, columns};
}

static void assert_near(double got, double wanted, double slack, const char *what) {
  if (!(fabs(got - wanted) <= slack)) fail_msg("%s: %.9g, not %.9g ± %.2g", what, got, wanted, slack);
}

static void sums_become_numbers(void **state) {
  enum { COLUMNS = 48 };
  const struct sums_form form = sums_make(COLUMNS);
  (void)state;
  for (int t = 0; t < table_count; t++) {
    tables[t]->int8->sums_to_f32(&form, (struct sum_rows){sums, sum_scales}, ROWS, from);
    tables[t]->int8->sums_to_bf16(&form, (struct sum_rows){sums, sum_scales}, ROWS, narrow);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
      assert_near(from[i], numbers[i], 2e-6, "a sum in fp32");
      assert_near(bfloat_to_float(narrow[i]), numbers[i], fabs(numbers[i]) / 256 + 2e-6, "a sum in bf16");
    }
  }
}

static double gelu(double x) {
  return x * 0.5 * erfc(-x / sqrt(2));
}

static void check_gelu(const struct kernels *kernels, int32_t columns, int32_t block) {
  const struct sums_form form = sums_make(columns);
  const struct byte_form next = {NULL, columns, block};
  kernels->int8->sums_gelu(&form, (struct sum_rows){sums, sum_scales}, ROWS, &next, row,
                           (struct byte_rows){bytes, scales});
  for (int32_t r = 0; r < ROWS; r++) {
    for (int32_t i = 0; i < columns; i++) wanted_row[i] = (float)gelu(numbers[r * columns + i]);
    rotate(wanted_row, columns, block, BYTE_FAR_STRIDE);
    const float top = greatest(wanted_row, columns);
    assert_near(scales[r], top / BYTE_MAX, 1e-6 * top, "the scale after GELU");
    for (int32_t i = 0; i < columns; i++)
      assert_near(bytes[r * columns + i], wanted_row[i] / scales[r] + BYTE_ZERO, 0.501, "a byte after GELU");
  }
}

static void gelu_is_taken_and_rotated(void **state) {
  (void)state;
  for (int t = 0; t < table_count; t++) {
    check_gelu(tables[t], 1536, 512);
    check_gelu(tables[t], 4096, 512);
    check_gelu(tables[t], 768, 256);
    check_gelu(tables[t], 384, 128);
    check_gelu(tables[t], 64, 64);
    check_gelu(tables[t], 96, 32);
    check_gelu(tables[t], 48, 0);
  }
}

static void sums_are_added_and_normalised(void **state) {
  enum { HIDDEN = 384 };
  const struct sums_form form = sums_make(HIDDEN);
  static float weight[HIDDEN], shift[HIDDEN];
  const struct norm_weights norm = {weight, shift, 1e-5f, HIDDEN};
  const struct byte_form next = {factor, HIDDEN, 128};
  uint64_t seed = 5;
  (void)state;
  for (int i = 0; i < HIDDEN; i++) {
    weight[i] = 1 + 0.3f * random_number(&seed);
    shift[i] = random_number(&seed);
    factor[i] = i % 3 ? 2 : 0.5f;
  }
  for (int t = 0; t < table_count; t++) {
    static float before[ROWS * HIDDEN], plain[ROWS * HIDDEN];
    static uint8_t wanted[ROWS * HIDDEN];
    float wanted_scales[ROWS];
    for (int i = 0; i < ROWS * HIDDEN; i++) before[i] = from[i] = random_number(&seed);
    for (int i = 0; i < ROWS * HIDDEN; i++) plain[i] = before[i];
    tables[t]->int8->sums_add_norm(&form, &norm, (struct sum_rows){sums, sum_scales}, ROWS, from, &next, row,
                                   (struct byte_rows){bytes, scales});
    tables[t]->int8->f32_to_bytes(&next, from, ROWS, row, (struct byte_rows){wanted, wanted_scales});
    assert_memory_equal(bytes, wanted, sizeof wanted);
    assert_memory_equal(scales, wanted_scales, sizeof wanted_scales);
    tables[t]->int8->sums_add_norm(&form, &norm, (struct sum_rows){sums, sum_scales}, ROWS, plain, NULL, row,
                                   (struct byte_rows){NULL, NULL});
    assert_memory_equal(plain, from, sizeof plain);
    for (int r = 0; r < ROWS; r++) {
      double mean = 0, variance = 0;
      for (int i = r * HIDDEN; i < (r + 1) * HIDDEN; i++) mean += (before[i] + numbers[i]) / HIDDEN;
      for (int i = r * HIDDEN; i < (r + 1) * HIDDEN; i++)
        variance += pow(before[i] + numbers[i] - mean, 2) / HIDDEN;
      for (int i = r * HIDDEN; i < (r + 1) * HIDDEN; i++) {
        const double x = (before[i] + numbers[i] - mean) / sqrt(variance + 1e-5);
        assert_near(from[i], x * weight[i % HIDDEN] + shift[i % HIDDEN], 6e-6, "the state");
      }
    }
  }
}

int main(void) {
  tables_find();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rotated_bytes_are_the_reference_s_bit_for_bit),
      cmocka_unit_test(bf16_rows_become_bytes),
      cmocka_unit_test(rows_of_zeros_stay_zero),
      cmocka_unit_test(a_row_with_a_number_that_is_not_finite_has_no_scale),
      cmocka_unit_test(sums_become_numbers),
      cmocka_unit_test(gelu_is_taken_and_rotated),
      cmocka_unit_test(sums_are_added_and_normalised),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
