/* fp16 and bf16 conversions against their definitions. */
#include <math.h>

#include "host/model/half.h"
#include "tests/unit/model/folder.h"

/* binary16 by its definition: a sign, 5 exponent bits with bias 15, 10 fraction bits. */
static double half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  return exponent ? sign * ldexp(1024 + fraction, exponent - 25) : sign * ldexp(fraction, -24);
}

/* The compiler's conversions, if it has them, and the conversions in plain integers. */
static const struct half_words {
  float (*to_float)(uint16_t bits);
  uint16_t (*from_float)(float value);
} compilers = {half_to_float, half_from_float}, portable = {half_to_float_portable, half_from_float_portable};

static void every_half_has_its_value_and_comes_back(void **state) {
  const struct half_words *words = *state;
  for (uint32_t i = 0; i < 65536; i++) {
    const uint16_t bits = (uint16_t)i;
    const float value = words->to_float(bits);
    if (isnan(half_value(bits))) {
      assert_true(isnan(value));
      assert_true(isnan(words->to_float(words->from_float(value))));
      continue;
    }
    assert_true((double)value == half_value(bits));
    assert_int_equal(words->from_float(value), bits);
  }
}

static void halves_round_to_nearest_and_ties_to_even(void **state) {
  const struct half_words *words = *state;
  for (uint32_t i = 0; i < 0x7bff; i++) {
    const float low = words->to_float((uint16_t)i), high = words->to_float((uint16_t)(i + 1));
    const float middle = low + (high - low) / 2;
    assert_int_equal(words->from_float(middle), i % 2 ? i + 1 : i);
    assert_int_equal(words->from_float(nextafterf(middle, low)), i);
    assert_int_equal(words->from_float(nextafterf(middle, high)), i + 1);
  }
  assert_int_equal(words->from_float(65519.996f), 0x7bff);
  assert_int_equal(words->from_float(65520), 0x7c00);
  assert_int_equal(words->from_float(-1e-9f), 0x8000);
  assert_int_equal(words->from_float(-INFINITY), 0xfc00);
  assert_int_equal(words->from_float(3e38f), 0x7c00);
}

static void every_bfloat_comes_back(void **state) {
  (void)state;
  for (uint32_t i = 0; i < 65536; i++) {
    const float value = bfloat_to_float((uint16_t)i);
    if (isnan(value))
      assert_true(isnan(bfloat_to_float(bfloat_from_float(value))));
    else
      assert_int_equal(bfloat_from_float(value), i);
  }
}

static void bfloats_round_to_nearest_and_ties_to_even(void **state) {
  (void)state;
  assert_int_equal(bfloat_from_float(0x1.01p0f), 0x3f80);       /* a tie: down to even */
  assert_int_equal(bfloat_from_float(0x1.03p0f), 0x3f82);       /* a tie: up to even */
  assert_int_equal(bfloat_from_float(0x1.010002p0f), 0x3f81);   /* just above a tie */
  assert_int_equal(bfloat_from_float(0x1.02fffep0f), 0x3f81);   /* just below a tie */
  assert_int_equal(bfloat_from_float(0x1.fffffep127f), 0x7f80); /* past the largest number: infinity */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(every_half_has_its_value_and_comes_back, (void *)&compilers),
      cmocka_unit_test_prestate(every_half_has_its_value_and_comes_back, (void *)&portable),
      cmocka_unit_test_prestate(halves_round_to_nearest_and_ties_to_even, (void *)&compilers),
      cmocka_unit_test_prestate(halves_round_to_nearest_and_ties_to_even, (void *)&portable),
      cmocka_unit_test(every_bfloat_comes_back),
      cmocka_unit_test(bfloats_round_to_nearest_and_ties_to_even),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
