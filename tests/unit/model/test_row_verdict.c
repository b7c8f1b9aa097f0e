#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <string.h>

#include "host/model/row_verdict.h"

#define WIDE 4
#define NARROW 2

static enum row_verdict judge(const uint16_t *row) {
  return row_judge(row, WIDE, row, NARROW);
}

static void infinities_and_nans_anywhere_are_not_finite(void **state) {
  static const uint16_t bad[] = {0x7c00, 0xfc00, 0x7e00, 0xfe01};
  (void)state;
  for (int b = 0; b < 4; b++)
    for (int i = 0; i < WIDE; i++) {
      uint16_t row[WIDE] = {0x3c00, 0x3c00, 0x7bff, 0x0001};
      assert_int_equal(judge(row), ROW_FINE);
      row[i] = bad[b];
      assert_int_equal(judge(row), ROW_NOT_FINITE);
    }
}

static void narrowest_row_of_zeros_is_zero_whatever_their_signs(void **state) {
  (void)state;
  assert_int_equal(judge((const uint16_t[]){0, 0x8000, 0x3c00, 0}), ROW_ZERO);
  assert_int_equal(judge((const uint16_t[]){0, 0x8001, 0, 0}), ROW_FINE);
  assert_int_equal(judge((const uint16_t[]){0, 0, 0, 0x7c00}), ROW_NOT_FINITE);
}

/* Two tokens are <s> and </s>. If a prompt is left out of the row, </s> alone is left. */
static void zero_row_passes_only_without_a_token_of_the_text(void **state) {
  (void)state;
  assert_true(row_passes(ROW_ZERO, 2, 0));
  assert_false(row_passes(ROW_ZERO, 3, 0));
  assert_true(row_passes(ROW_ZERO, 5, 4));
  assert_true(row_passes(ROW_ZERO, 4, 4));
  assert_false(row_passes(ROW_ZERO, 6, 4));
  assert_true(row_passes(ROW_FINE, 9, 0));
  assert_false(row_passes(ROW_NOT_FINITE, 2, 0));
}

static void sentence_says_what_and_where_and_what_to_do(void **state) {
  struct error error;
  (void)state;
  assert_false(row_refuse(ROW_NOT_FINITE, 3, 24, "do this", &error));
  assert_int_equal(error.code, ERROR_DEVICE);
  assert_string_equal(error.message,
                      "the text's row is not finite: layer 3, of layers 0 to 23, is the first that "
                      "gives such numbers; do this");
  row_refuse(ROW_ZERO, ROW_LAYER_EMBEDDING, 24, "do this", &error);
  assert_non_null(strstr(error.message, "is all zero: the embedding, before layer 0, already gives"));
  row_refuse(ROW_ZERO, ROW_LAYER_POOLING, 24, "do this", &error);
  assert_non_null(strstr(error.message, "the layers are right, and pooling is the first"));
  row_refuse(ROW_ZERO, 24 + 1, 24, "do this", &error);
  assert_non_null(strstr(error.message, "Dense module 1, counted from 0, is the first"));
  row_refuse(ROW_ZERO, ROW_LAYER_NONE, 24, "do this", &error);
  assert_non_null(strstr(error.message, "a second run of the same batch was right"));
  row_refuse(ROW_ZERO, ROW_LAYER_WIDTHS, 24, "do this", &error);
  assert_string_equal(error.message,
                      "the text's row is all zero: the layers' numbers are right, but too small for fp16 in "
                      "the narrowest of --widths; pass a wider one");
  row_refuse(ROW_NOT_FINITE, ROW_LAYER_WIDTHS, 24, "do this", &error);
  assert_non_null(
      strstr(error.message, "too large for fp16, or too small for the row's length to be made 1"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(infinities_and_nans_anywhere_are_not_finite),
      cmocka_unit_test(narrowest_row_of_zeros_is_zero_whatever_their_signs),
      cmocka_unit_test(zero_row_passes_only_without_a_token_of_the_text),
      cmocka_unit_test(sentence_says_what_and_where_and_what_to_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
