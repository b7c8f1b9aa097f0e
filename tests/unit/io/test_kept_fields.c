#include "io/kept_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka.h leaves the four above to whoever includes it. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/document.h"

/* Parses `line` and gives the line of fields/, without its end; *reason is filled if the line is rejected.
 * The caller frees it. */
static char *keep(const char *list, const char *line, char reason[256]) {
  struct kept_fields kept;
  struct error error;
  struct document document;
  struct text text = {0};
  if (!kept_fields_parse(list, &kept, &error)) fail_msg("%s: %s", list, error.message);
  const struct document_fields fields = {.text = "text", .id = "id", .title = "title", .kept = &kept};
  const size_t length = strlen(line);
  char *copy = malloc(length + 1); /* of just its size: a sanitizer sees a read past its end */
  assert_non_null(copy);
  memcpy(copy, line, length);
  const enum document_result result =
      document_parse_keeping(&fields, copy, (int64_t)length, &document, &text, reason);
  if (result == DOCUMENT_REJECTED) {
    assert_int_equal(text.size, 0);
    assert_memory_equal(copy, line, length);
    kept_fields_free(&kept);
    free(copy);
    return NULL;
  }
  assert_int_equal(result, DOCUMENT_READ);
  assert_false(text.failed);
  assert_true(text.size > 0 && text.bytes[text.size - 1] == '\n');
  char *found = strndup(text.bytes, text.size - 1);
  kept_fields_free(&kept);
  text_free(&text);
  free(copy);
  return found;
}

static void assert_keeps(const char *list, const char *line, const char *expected) {
  char reason[256] = "";
  char *found = keep(list, line, reason);
  if (!found) fail_msg("%s: %s", line, reason);
  assert_string_equal(found, expected);
  free(found);
}

static void assert_rejects(const char *list, const char *line, const char *expected) {
  char reason[256] = "";
  char *found = keep(list, line, reason);
  if (found) fail_msg("%s: kept %s", line, found);
  assert_string_equal(reason, expected);
}

#define LINE(members) "{\"id\":1,\"text\":\"t\"," members "}"

static void values_of_every_type_are_kept_as_they_came(void **state) {
  (void)state;
  static const char *const values[] = {"\"a\"",
                                       "\"\"",
                                       "\"\\u00e0 \\\"q\\\" \\n\\/\"",
                                       "\"l'à\xf0\x9f\x8e\x89\"",
                                       "0",
                                       "-12.50e+07",
                                       "123456789012345678901234567890",
                                       "true",
                                       "false",
                                       "null",
                                       "[]",
                                       "[ 1 ,\t[{ \"b\" :2} ] ]",
                                       "{}",
                                       "{ \"b\" : { \"b\" : [\"}\"] } }"};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    char line[256], expected[256];
    snprintf(line, sizeof line, "{\"a\":%s,\"text\":\"t\",\"id\":\"1\"}", values[i]);
    snprintf(expected, sizeof expected, "{\"a\":%s}", values[i]);
    assert_keeps("a", line, expected);
    snprintf(line, sizeof line, "{ \"text\":\"t\", \"id\":1, \"m\" : {\"x\":0 , \"a\" : %s } } ", values[i]);
    snprintf(expected, sizeof expected, "{\"m.a\":%s}", values[i]);
    assert_keeps("m.a", line, expected);
  }
}

static void fields_that_are_missing_are_left_out(void **state) {
  (void)state;
  assert_keeps("url,date", LINE("\"date\":2"), "{\"date\":2}");
  assert_keeps("url,date", LINE("\"x\":2"), "{}");
  assert_keeps("m.a", LINE("\"m\":{}"), "{}");
  assert_keeps("m.a", LINE("\"m\":\"a\""), "{}");
  assert_keeps("m.a", LINE("\"m\":[{\"a\":1}]"), "{}");
  assert_keeps("m.a", LINE("\"m\":null,\"a\":1"), "{}");
  assert_keeps("m.a.b,u", LINE("\"m\":{\"a\":7},\"u\":1"), "{\"u\":1}");
}

static void keys_are_the_paths_in_the_lists_order(void **state) {
  (void)state;
  const char *line = LINE("\"date\":1,\"m\":{\"d\":2,\"e\":{\"f\":3}},\"url\":4");
  assert_keeps("url,m.e.f,m.d,date", line, "{\"url\":4,\"m.e.f\":3,\"m.d\":2,\"date\":1}");
}

static void last_of_two_equal_keys_counts(void **state) {
  (void)state;
  assert_keeps("a", LINE("\"a\":1,\"a\":[2]"), "{\"a\":[2]}");
  assert_keeps("m.a", LINE("\"m\":{\"a\":1,\"a\":2}"), "{\"m.a\":2}");
  assert_keeps("m.a", LINE("\"m\":{\"a\":1},\"m\":{\"b\":2}"), "{}");
  assert_keeps("m.a", LINE("\"m\":{\"a\":1},\"m\":3"), "{}");
}

static void names_are_compared_decoded(void **state) {
  (void)state;
  assert_keeps("títol", LINE("\"t\\u00edtol\":1"), "{\"títol\":1}");
  assert_keeps("m.\xf0\x9f\x8e\x89", LINE("\"\\u006d\":{\"\\ud83c\\udf89\":1}"),
               "{\"m.\xf0\x9f\x8e\x89\":1}");
  assert_keeps("a\"b", LINE("\"a\\\"b\":1"), "{\"a\\\"b\":1}");
}

static void dots_and_commas_of_a_name_are_written_with_a_backslash(void **state) {
  (void)state;
  const char *line = LINE("\"a.b\":1,\"a\":{\"b\":2,\"c,d\":3},\"e\\\\\":4,\"f\\\\g\":5");
  assert_keeps("a\\.b", line, "{\"a\\\\.b\":1}");
  assert_keeps("a.b", line, "{\"a.b\":2}");
  assert_keeps("a.c\\,d", line, "{\"a.c\\\\,d\":3}");
  assert_keeps("e\\\\", line, "{\"e\\\\\\\\\":4}");
  assert_keeps("f\\g", line, "{\"f\\\\g\":5}"); /* a backslash before any other byte is itself */
}

static void blanks_around_names_do_not_count(void **state) {
  (void)state;
  static const char *const lists[][2] = {{" date, url ,meta . a b\t", "date,url,meta.a b"},
                                         {"\\ url,a\\ ", "\\ url,a\\ "},
                                         {"  \\  x \\  ,y", "\\  x \\ ,y"}};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    struct kept_fields kept;
    struct error error;
    for (int again = 0; again < 2; again++) {
      if (!kept_fields_parse(lists[i][again], &kept, &error))
        fail_msg("%s: %s", lists[i][again], error.message);
      assert_string_equal(kept.list, lists[i][1]);
      kept_fields_free(&kept);
    }
  }
  assert_keeps("b , a", LINE("\"a\":1,\" b\":2,\"b\":3"), "{\"b\":3,\"a\":1}");
  assert_keeps("\\ b", LINE("\"a\":1,\" b\":2,\"b\":3"), "{\"\\\\ b\":2}");
}

static void blanks_of_a_recorded_list_count(void **state) {
  (void)state;
  static const char *const lists[][3] = {
      {"date, url", "date", " url"}, {"date,url", "date", "url"}, {"a b\t,\\ c ", "a b\t", " c "}};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    struct kept_fields kept;
    struct error error;
    if (!kept_fields_parse_recorded(lists[i][0], &kept, &error))
      fail_msg("%s: %s", lists[i][0], error.message);
    assert_string_equal(kept.list, lists[i][0]);
    assert_int_equal(kept.count, 2);
    for (int j = 0; j < 2; j++) assert_string_equal(kept.field[j].name[0], lists[i][1 + j]);
    assert_string_equal(strrchr(kept.list, ',') + 1, kept.field[1].path);
    kept_fields_free(&kept);
  }
}

/* What one manifest says, today's and an older one's, is one list. */
static void list_of_today_is_read_from_its_manifest_as_it_was_meant(void **state) {
  (void)state;
  static const char *const lists[] = {" date, url ", "\\ url , a . b", "x\\\\ ,\ty\\,\t", "a\\\t"};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    struct kept_fields kept, again;
    struct error error;
    assert_true(kept_fields_parse(lists[i], &kept, &error));
    assert_true(kept_fields_parse_recorded(kept.list, &again, &error));
    assert_string_equal(kept.list, again.list);
    assert_int_equal(kept.count, again.count);
    for (int32_t f = 0; f < kept.count; f++) {
      assert_int_equal(kept.field[f].depth, again.field[f].depth);
      for (int32_t n = 0; n < kept.field[f].depth; n++)
        assert_string_equal(kept.field[f].name[n], again.field[f].name[n]);
    }
    kept_fields_free(&kept);
    kept_fields_free(&again);
  }
}

static void document_says_which_optional_fields_it_has(void **state) {
  (void)state;
  static const struct {
    const char *line;
    struct fields_there there;
  } cases[] = {{LINE("\"x\":1"), {false, 0}},
               {LINE("\"title\":null,\"m\":{\"b\":1}"), {true, 0}},
               {LINE("\"title\":\"t\",\"m\":{\"a\":null},\"c\":1"), {true, 5}},
               {LINE("\"b\":[]"), {false, 2}}};
  struct kept_fields kept;
  struct error error;
  assert_true(kept_fields_parse("m.a,b,c", &kept, &error));
  const struct document_fields fields = {.text = "text", .title = "title", .kept = &kept};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct document document;
    char reason[256], *line = strdup(cases[i].line);
    assert_int_equal(document_parse(&fields, line, (int64_t)strlen(line), &document, reason), DOCUMENT_READ);
    assert_int_equal(document.there.title, cases[i].there.title);
    assert_int_equal(document.there.kept, cases[i].there.kept);
    free(line);
  }
  kept_fields_free(&kept);
}

static void field_that_is_read_too_is_kept_as_it_came(void **state) {
  (void)state;
  assert_keeps("text,title,id", "{\"text\":\"\\u0061\\n\",\"title\":\"\\u0062\",\"id\":\"\\u0063\"}",
               "{\"text\":\"\\u0061\\n\",\"title\":\"\\u0062\",\"id\":\"\\u0063\"}");
}

static void value_that_json_cannot_hold_rejects_the_document(void **state) {
  (void)state;
  assert_rejects("a", LINE("\"a\":NaN"),
                 "field \"a\" cannot be kept: it is no JSON number, but NaN or infinite");
  assert_rejects("m.a", LINE("\"m\":{\"a\":[1,{\"b\":-Infinity}]}"),
                 "field \"m.a\" cannot be kept: a value inside is no JSON number, but NaN or infinite");
  assert_rejects("a", LINE("\"a\":\"\\ud800\""),
                 "field \"a\" has a lone surrogate escape, which is not a character");
  assert_rejects("a", LINE("\"a\":[\"x\",{\"\\ud800\":0}]"),
                 "field \"a\" has a lone surrogate escape inside, which is not a character");
  assert_rejects("a", LINE("\"a\":\"\xff\""), "invalid UTF-8 at byte 25");
  /* Of what is not kept, none matters. */
  assert_keeps("m.a", LINE("\"m\":{\"b\":NaN,\"a\":1},\"c\":\"\\ud800\""), "{\"m.a\":1}");
}

static void wrong_list_is_refused(void **state) {
  (void)state;
  static const char *const lists[][2] = {
      {"", "a name is empty"},
      {"a,", "a name is empty"},
      {",a", "a name is empty"},
      {"a..b", "a name is empty"},
      {"a.", "a name is empty"},
      {"a, ,b", "a name is empty"},
      {"a, a", "\"a\" stands there twice"},
      {"a,b,a", "\"a\" stands there twice"},
      {"m,m.a", "\"m.a\" lies inside \"m\""},
      {"m.a.b,m.a", "\"m.a.b\" lies inside \"m.a\""},
      {"a\xff", "not valid UTF-8"},
  };
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    struct kept_fields kept;
    struct error error;
    if (kept_fields_parse(lists[i][0], &kept, &error)) fail_msg("\"%s\" was taken", lists[i][0]);
    assert_int_equal(error.code, ERROR_USAGE);
    if (!strstr(error.message, lists[i][1])) fail_msg("\"%s\": %s", lists[i][0], error.message);
    kept_fields_free(&kept);
  }
}

static void list_of_too_many_fields_is_refused(void **state) {
  (void)state;
  char list[8 * (KEPT_FIELDS_MAX + 1)];
  struct kept_fields kept;
  struct error error;
  size_t used = 0;
  for (int i = 0; i < KEPT_FIELDS_MAX; i++)
    used += (size_t)snprintf(list + used, sizeof list - used, "%sf%d", i ? "," : "", i);
  assert_true(kept_fields_parse(list, &kept, &error));
  assert_int_equal(kept.count, KEPT_FIELDS_MAX);
  kept_fields_free(&kept);
  strcpy(list + used, ",x");
  assert_false(kept_fields_parse(list, &kept, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  kept_fields_free(&kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_of_every_type_are_kept_as_they_came),
      cmocka_unit_test(fields_that_are_missing_are_left_out),
      cmocka_unit_test(keys_are_the_paths_in_the_lists_order),
      cmocka_unit_test(last_of_two_equal_keys_counts),
      cmocka_unit_test(names_are_compared_decoded),
      cmocka_unit_test(dots_and_commas_of_a_name_are_written_with_a_backslash),
      cmocka_unit_test(blanks_around_names_do_not_count),
      cmocka_unit_test(blanks_of_a_recorded_list_count),
      cmocka_unit_test(list_of_today_is_read_from_its_manifest_as_it_was_meant),
      cmocka_unit_test(document_says_which_optional_fields_it_has),
      cmocka_unit_test(field_that_is_read_too_is_kept_as_it_came),
      cmocka_unit_test(value_that_json_cannot_hold_rejects_the_document),
      cmocka_unit_test(wrong_list_is_refused),
      cmocka_unit_test(list_of_too_many_fields_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
