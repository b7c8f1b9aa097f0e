#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>
#include <jansson.h>

#include "io/text.h"

static void json_string_reads_back_as_it_was(void **state) {
  (void)state;
  char bytes[200];
  size_t size = 0;
  for (int i = 0; i < 128; i++) bytes[size++] = (char)i;
  memcpy(bytes + size, "l·l \xf0\x9f\x8e\x89", 9);
  size += 9;
  struct text text = {0};
  text_append_json(&text, bytes, size);
  json_t *value = json_loadb(text.bytes, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  assert_non_null(value);
  assert_int_equal(json_string_length(value), size);
  assert_memory_equal(json_string_value(value), bytes, size);
  json_decref(value);
  text_free(&text);
}

static void json_escapes_are_the_short_ones(void **state) {
  (void)state;
  const char expected[] = "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u000b\\u0000\"";
  struct text text = {0};
  text_append_json(&text, "\"\\/\b\f\n\r\t\x01\x1f\v\0", 12);
  assert_int_equal(text.size, sizeof expected - 1);
  assert_memory_equal(text.bytes, expected, text.size);
  text_free(&text);
}

static void size_of_a_json_string_is_known_before_it_is_written(void **state) {
  (void)state;
  for (int i = 0; i < 256; i++) {
    const char bytes[] = {'a', (char)i, 'b'};
    struct text text = {0};
    text_append_json(&text, bytes, sizeof bytes);
    if (text.size != text_json_size(bytes, sizeof bytes)) fail_msg("byte %d: %zu bytes", i, text.size);
    text_free(&text);
  }
  assert_int_equal(text_json_size(NULL, 0), 2);
}

static void integers_are_written_to_the_last_digit(void **state) {
  (void)state;
  const char expected[] = "0 -1 9223372036854775807 -9223372036854775808";
  struct text text = {0};
  text_append_integer(&text, 0);
  text_append_string(&text, " ");
  text_append_integer(&text, -1);
  text_append_string(&text, " ");
  text_append_integer(&text, INT64_MAX);
  text_append_string(&text, " ");
  text_append_integer(&text, INT64_MIN);
  assert_int_equal(text.size, sizeof expected - 1);
  assert_memory_equal(text.bytes, expected, text.size);
  text_free(&text);
}

static void a_formatted_string_is_as_long_as_its_text(void **state) {
  (void)state;
  for (int length = 0; length < 300; length++) { /* 100 is where asprintf is wrong */
    char *string = text_format("%*s%d", length, "", 7);
    assert_int_equal(strlen(string), length + 1);
    assert_int_equal(string[length], '7');
    free(string);
  }
}

static void text_grows_without_losing_bytes(void **state) {
  (void)state;
  struct text text = {0};
  for (int i = 0; i < 100000; i++) text_append(&text, (const char *)&i, sizeof i);
  assert_false(text.failed);
  for (int i = 0; i < 100000; i++) assert_memory_equal(text.bytes + (size_t)i * sizeof i, &i, sizeof i);
  text_free(&text);
}

static void clear_keeps_a_small_buffer_and_gives_a_large_one_back(void **state) {
  (void)state;
  struct text text = {0};
  text_append_string(&text, "abc");
  text_clear(&text, 1 << 20);
  assert_int_equal(text.size, 0);
  assert_non_null(text.bytes);
  text_clear(&text, 16);
  assert_null(text.bytes);
}

static void a_cut_text_ends_after_a_whole_character(void **state) {
  (void)state;
  const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\x89z"; /* a, é, €, a picture, z */
  static const size_t cut[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
  for (size_t most = 0; most < sizeof cut / sizeof *cut; most++)
    assert_int_equal(text_cut(text, sizeof text - 1, most), cut[most]);
  assert_int_equal(text_cut(text, 10, 10), 10); /* the text's end, though z would follow */
  assert_int_equal(text_cut("", 0, 5), 0);
}

static void a_cut_text_reads_no_byte_past_its_end(void **state) {
  (void)state;
  char *text = malloc(2);
  assert_non_null(text);
  memcpy(text, "\xc3\xa9", 2);
  for (size_t most = 2; most < 5; most++) assert_int_equal(text_cut(text, 2, most), 2);
  assert_int_equal(text_cut(text, 2, 1), 0);
  free(text);
}

static void a_cut_stays_in_bytes_that_begin_no_character(void **state) {
  (void)state;
  assert_int_equal(text_cut("\x80\x80\x80\x80", 4, 3), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(json_string_reads_back_as_it_was),
      cmocka_unit_test(json_escapes_are_the_short_ones),
      cmocka_unit_test(size_of_a_json_string_is_known_before_it_is_written),
      cmocka_unit_test(integers_are_written_to_the_last_digit),
      cmocka_unit_test(a_formatted_string_is_as_long_as_its_text),
      cmocka_unit_test(text_grows_without_losing_bytes),
      cmocka_unit_test(clear_keeps_a_small_buffer_and_gives_a_large_one_back),
      cmocka_unit_test(a_cut_text_ends_after_a_whole_character),
      cmocka_unit_test(a_cut_text_reads_no_byte_past_its_end),
      cmocka_unit_test(a_cut_stays_in_bytes_that_begin_no_character),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
