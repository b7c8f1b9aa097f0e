#include "io/json_text.h"

#include <jansson.h>

#include "tests/unit/io/scratch.h"

static void layouts_are_laid_out_as_they_say(void **state) {
  (void)state;
  struct json_text json = {0};
  struct error error;
  json_text_open(&json, NULL, '{', JSON_BLOCK);
  json_text_open(&json, "line", '[', JSON_ON_ONE_LINE);
  for (int i = 1; i <= 2; i++) json_text_integer(&json, NULL, i);
  json_text_close(&json, ']');
  json_text_open(&json, "hanging", '{', JSON_HANGING);
  json_text_boolean(&json, "a", false);
  json_text_string(&json, "b", NULL);
  json_text_close(&json, '}');
  json_text_open(&json, "none", '[', JSON_BLOCK);
  json_text_close(&json, ']');
  json_text_close(&json, '}');
  text_append(&json.text, "", 1);
  assert_ok(json_text_check(&json, "a text", &error), &error);
  assert_string_equal(
      json.text.bytes,
      "{\n \"line\": [1, 2],\n \"hanging\": {\n  \"a\": false,\n  \"b\": null},\n \"none\": []\n}");
  json_text_free(&json);
}

static void whatever_is_written_reads_back(void **state) {
  (void)state;
  for (int compact = 0; compact < 2; compact++) {
    struct json_text json = {.compact = compact};
    json_text_open(&json, NULL, '{', JSON_BLOCK);
    json_text_string(&json, "text", "\"a\\b\"\n\x01 \xc3\xa7");
    json_text_integer(&json, "least", INT64_MIN);
    json_text_raw(&json, "raw", "[1]");
    json_text_close(&json, '}');
    json_t *read = json_loadb(json.text.bytes, json.text.size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(read);
    assert_string_equal(json_string_value(json_object_get(read, "text")), "\"a\\b\"\n\x01 \xc3\xa7");
    assert_true(json_integer_value(json_object_get(read, "least")) == INT64_MIN);
    assert_int_equal(json_array_size(json_object_get(read, "raw")), 1);
    json_decref(read);
    json_text_free(&json);
  }
}

static void string_that_is_not_utf8_fails_by_its_key(void **state) {
  (void)state;
  static const char *const wrong[] = {"caf\xe9", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xc3"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct json_text json = {0};
    struct error error = {0};
    json_text_open(&json, NULL, '{', JSON_BLOCK);
    json_text_string(&json, "prompt", wrong[i]);
    json_text_string(&json, "after", "fine");
    json_text_close(&json, '}');
    assert_false(json_text_check(&json, "the manifest", &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_says(&error, "prompt");
    json_text_free(&json);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layouts_are_laid_out_as_they_say),
      cmocka_unit_test(whatever_is_written_reads_back),
      cmocka_unit_test(string_that_is_not_utf8_fails_by_its_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
