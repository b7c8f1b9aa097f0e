/* The encoder without a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above. */
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "host/cpu/encoder_null.h"
#include "host/model/half.h"
#include "host/model/widths.h"

static const struct encoder_options options = {
    .max_tokens = 8, .slots = 2, .width_count = 2, .widths = {96, 32}};

static struct encoder *encoder_make(void) {
  struct error error = {.message = ""};
  struct encoder *encoder = encoder_null_open(&options, &error);
  if (!encoder) fail_msg("%s", error.message);
  return encoder;
}

/* The definition in encoder_null.h, written a second time. */
static void row_expected(const int32_t *ids, int32_t tokens, uint16_t *wide, uint16_t *narrow) {
  const uint64_t hash = XXH3_64bits(ids, (size_t)tokens * sizeof *ids);
  float x[96];
  for (uint64_t i = 0; i < 96; i++) {
    uint64_t z = hash + (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    x[i] = (float)(int16_t)(z >> 48) / 32768.0f;
  }
  width_normalise(x, 96, wide);
  width_derive(wide, 32, narrow);
}

static void rows_are_the_documented_hash(void **state) {
  (void)state;
  static const int32_t ids[] = {0, 5, 2, 0, 2, 250001, 7}, offsets[] = {0, 3, 5, 7};
  const struct batch batch = {ids, offsets, 3, 0};
  struct encoder *encoder = encoder_make();
  struct error error;
  uint16_t wide[3 * 96], narrow[3 * 32], wanted_wide[96], wanted_narrow[32], *rows[] = {wide, narrow};
  assert_true(encoder_submit(encoder, 1, &batch, &error) && encoder_wait(encoder, 1, rows, &error));
  for (int s = 0; s < 3; s++) {
    row_expected(ids + offsets[s], offsets[s + 1] - offsets[s], wanted_wide, wanted_narrow);
    assert_memory_equal(wide + s * 96, wanted_wide, sizeof wanted_wide);
    assert_memory_equal(narrow + s * 32, wanted_narrow, sizeof wanted_narrow);
  }
  encoder_close(encoder);
}

static void texts_that_differ_in_one_id_have_unlike_rows(void **state) {
  (void)state;
  static const int32_t ids[] = {0, 5, 2, 0, 6, 2}, offsets[] = {0, 3, 6};
  const struct batch batch = {ids, offsets, 2, 0};
  struct encoder *encoder = encoder_make();
  struct error error;
  uint16_t wide[2 * 96], narrow[2 * 32], *rows[] = {wide, narrow};
  double product = 0;
  assert_true(encoder_submit(encoder, 0, &batch, &error) && encoder_wait(encoder, 0, rows, &error));
  for (int i = 0; i < 96; i++) product += half_to_float(wide[i]) * half_to_float(wide[96 + i]);
  assert_true(fabs(product) < 0.5);
  encoder_close(encoder);
}

static void batches_out_of_bounds_are_errors(void **state) {
  (void)state;
  static const int32_t ids[16], longer[] = {0, 9}, empty[] = {0, 0};
  const struct batch batches[] = {{ids, longer, 1, 0}, {ids, empty, 1, 0}, {ids, empty, 0, 0}};
  struct encoder *encoder = encoder_make();
  struct error error;
  for (int i = 0; i < 3; i++) {
    assert_false(encoder_submit(encoder, 0, &batches[i], &error));
    assert_int_equal(error.code, ERROR_USAGE);
  }
  assert_false(encoder_wait(encoder, 0, NULL, &error));
  encoder_close(encoder);
}

static void info_and_class_are_those_of_a_fast_device(void **state) {
  (void)state;
  struct encoder *encoder = encoder_make();
  struct compute_class class;
  const struct compute_class expected = {.encoder = "null", .batch_tokens = 16384};
  encoder_compute_class(encoder, &class);
  assert_string_equal(encoder->info.name, "null");
  assert_int_equal(encoder->info.slots, 2);
  assert_int_equal(encoder->info.batch_tokens, 16384);
  assert_int_equal(encoder->info.block_lines, 16384);
  assert_int_equal(encoder->info.block_bytes, 16 << 20);
  assert_memory_equal(&class, &expected, sizeof class);
  encoder_close(encoder);
}

/* The rate is so high that the test takes no time, but the schedule still runs. */
static void rated_rows_are_the_same(void **state) {
  (void)state;
  static const int32_t ids[] = {0, 5, 2}, offsets[] = {0, 3};
  const struct batch batch = {ids, offsets, 1, 0};
  struct encoder_options rated = options;
  struct error error;
  uint16_t wide[96], narrow[32], wanted_wide[96], wanted_narrow[32], *rows[] = {wide, narrow};
  rated.null_rate = 1000000;
  struct encoder *encoder = encoder_null_open(&rated, &error);
  assert_non_null(encoder);
  for (int repeat = 0; repeat < 3; repeat++)
    assert_true(encoder_submit(encoder, 0, &batch, &error) && encoder_wait(encoder, 0, rows, &error));
  row_expected(ids, 3, wanted_wide, wanted_narrow);
  assert_memory_equal(wide, wanted_wide, sizeof wide);
  assert_memory_equal(narrow, wanted_narrow, sizeof narrow);
  encoder_close(encoder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_the_documented_hash),
      cmocka_unit_test(texts_that_differ_in_one_id_have_unlike_rows),
      cmocka_unit_test(batches_out_of_bounds_are_errors),
      cmocka_unit_test(info_and_class_are_those_of_a_fast_device),
      cmocka_unit_test(rated_rows_are_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
