/* Precision names. */
#include "host/model/encoder.h"
#include "tests/unit/model/folder.h"

static void every_precision_is_read_back_from_its_name(void **state) {
  (void)state;
  for (int i = PRECISION_AUTO; i <= PRECISION_INT8; i++) {
    enum precision precision = PRECISION_AUTO;
    assert_true(precision_parse(precision_name((enum precision)i), &precision));
    assert_int_equal(precision, i);
  }
}

static void other_names_are_refused(void **state) {
  (void)state;
  enum precision precision = PRECISION_BF16;
  assert_false(precision_parse("int4", &precision));
  assert_false(precision_parse("", &precision));
  assert_false(precision_parse("FP32", &precision));
  assert_int_equal(precision, PRECISION_BF16);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_precision_is_read_back_from_its_name),
      cmocka_unit_test(other_names_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
