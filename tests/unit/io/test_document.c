#include "io/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka.h needs the four headers above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct document_fields text_only = {.text = "text", .id = NULL, .title = NULL};
static const struct document_fields all_fields = {.text = "text", .id = "id", .title = "title"};

/* The line's copy has exactly the line's size, so that a sanitizer sees a read past the end. */
struct parsed {
  char *line;
  enum document_result result;
  struct document document;
  char reason[256];
};

static struct parsed parse_bytes(const struct document_fields *fields, const char *line, size_t length) {
  struct parsed parsed = {.line = malloc(length > 0 ? length : 1)};
  assert_non_null(parsed.line);
  memcpy(parsed.line, line, length);
  parsed.result = document_parse(fields, parsed.line, (int64_t)length, &parsed.document, parsed.reason);
  return parsed;
}

static struct parsed parse(const struct document_fields *fields, const char *line) {
  return parse_bytes(fields, line, strlen(line));
}

static void assert_span(struct span span, const char *expected) {
  if (!expected) {
    assert_null(span.bytes);
    return;
  }
  assert_non_null(span.bytes);
  assert_int_equal(span.length, strlen(expected));
  assert_memory_equal(span.bytes, expected, span.length);
}

static void assert_reads(const struct document_fields *fields, const char *line, const char *text,
                         const char *id, const char *title) {
  struct parsed parsed = parse(fields, line);
  if (parsed.result == DOCUMENT_REJECTED) print_error("%s: %s\n", line, parsed.reason);
  assert_int_equal(parsed.result, DOCUMENT_READ);
  assert_span(parsed.document.text, text);
  assert_span(parsed.document.id, id);
  assert_span(parsed.document.title, title);
  free(parsed.line);
}

static void assert_rejects(const struct document_fields *fields, const char *line, const char *reason) {
  struct parsed parsed = parse(fields, line);
  if (parsed.result != DOCUMENT_REJECTED) print_error("not rejected: %s\n", line);
  assert_int_equal(parsed.result, DOCUMENT_REJECTED);
  assert_string_equal(parsed.reason, reason);
  /* A rejected line stays unchanged, so that the caller can show it. */
  assert_memory_equal(parsed.line, line, strlen(line));
  free(parsed.line);
}

/* Checks that an unknown field may have this value, and that the field after it is found. */
static void assert_value_passes(const char *value) {
  char line[512];
  snprintf(line, sizeof line, "{\"x\":%s,\"text\":\"t\"}", value);
  assert_reads(&text_only, line, "t", NULL, NULL);
  snprintf(line, sizeof line, "{ \"text\" : \"t\" , \"x\" : %s }", value);
  assert_reads(&text_only, line, "t", NULL, NULL);
}

/* Checks that this value in an unknown field is malformed, at the given byte (from 1) in the value. */
static void assert_value_fails(const char *value, int byte) {
  char line[512], start[64];
  snprintf(line, sizeof line, "{\"x\":%s,\"text\":\"t\"}", value);
  snprintf(start, sizeof start, "malformed JSON at byte %d: ", byte + 5);
  struct parsed parsed = parse(&text_only, line);
  if (strncmp(parsed.reason, start, strlen(start)) != 0) print_error("%s: %s\n", line, parsed.reason);
  assert_int_equal(parsed.result, DOCUMENT_REJECTED);
  assert_memory_equal(parsed.reason, start, strlen(start));
  free(parsed.line);
}

static void fields_asked_for_are_found(void **state) {
  (void)state;
  assert_reads(&all_fields, "{\"id\":\"a1\",\"title\":\"El títol\",\"text\":\"El cos\"}", "El cos", "a1",
               "El títol");
  assert_reads(&text_only, "{\"id\":\"a1\",\"title\":\"x\",\"text\":\"\"}", "", NULL, NULL);
  assert_reads(&all_fields, " \t{ \"text\"\r:\n\"b\" , \"id\" : 7 , \"title\" : null } \r\n", "b", "7", NULL);
  assert_reads(&all_fields, "{\"id\":\"\",\"text\":\"b\"}", "b", "", NULL);
  const struct document_fields other = {.text = "cos", .id = "_id", .title = "títol"};
  assert_reads(&other, "{\"text\":1,\"_id\":\"q\",\"títol\":\"t\",\"cos\":\"c\"}", "c", "q", "t");
}

static void an_integer_id_keeps_its_digits(void **state) {
  (void)state;
  static const char *const ids[] = {"0", "-12", "123456789012345678901234567890"};
  for (int i = 0; i < 3; i++) {
    char line[128];
    snprintf(line, sizeof line, "{\"id\":%s,\"text\":\"b\"}", ids[i]);
    struct parsed parsed = parse(&all_fields, line);
    assert_int_equal(parsed.result, DOCUMENT_READ);
    assert_span(parsed.document.id, ids[i]);
    assert_true(parsed.document.id_is_integer);
    free(parsed.line);
  }
  struct parsed parsed = parse(&all_fields, "{\"id\":\"12\",\"text\":\"b\"}");
  assert_false(parsed.document.id_is_integer);
  free(parsed.line);
}

static void the_last_of_duplicate_keys_counts(void **state) {
  (void)state;
  assert_reads(&text_only, "{\"text\":\"a\\n\",\"text\":\"b\\n\"}", "b\n", NULL, NULL);
  assert_reads(&text_only, "{\"text\":17,\"te\\u0078t\":\"b\"}", "b", NULL, NULL);
  assert_rejects(&text_only, "{\"text\":\"a\\n\",\"text\":17}", "field \"text\" is not a string");
  assert_reads(&all_fields, "{\"id\":1,\"text\":\"b\",\"title\":\"t\",\"title\":null}", "b", "1", NULL);
}

static void keys_compare_after_decoding(void **state) {
  (void)state;
  assert_reads(&text_only, "{\"t\\u0065xt\":\"a\"}", "a", NULL, NULL);
  assert_rejects(&text_only,
                 "{\"text\\u0000\":\"a\",\"tex\":\"b\",\"texts\":\"c\",\"\\u0074ex\":1,\"tex\\ud800\":2}",
                 "no field \"text\"");
  const struct document_fields emoji = {.text = "a/\xf0\x9f\x8e\x89", .id = NULL, .title = NULL};
  assert_reads(&emoji, "{\"a\\/\\ud83c\\uDF89\":\"a\"}", "a", NULL, NULL);
}

static void escapes_are_decoded_in_place(void **state) {
  (void)state;
  assert_reads(
      &all_fields,
      "{\"text\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"id\":\"\\u00e0b\",\"title\":\"\\u20AC\\ud83c\\udf89\"}",
      "\"\\/\b\f\n\r\t",
      "\xc3\xa0"
      "b",
      "\xe2\x82\xac\xf0\x9f\x8e\x89");
  assert_reads(&text_only, "{\"text\":\"a\\u007f\\u0080\\u07ff\\u0800\\uffff\\udbff\\udfff\"}",
               "a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf", NULL, NULL);
  struct parsed parsed = parse(&text_only, "{\"text\":\"a\\u0000b\"}");
  assert_int_equal(parsed.result, DOCUMENT_READ);
  assert_int_equal(parsed.document.text.length, 3);
  assert_memory_equal(parsed.document.text.bytes, "a\0b", 3);
  assert_true(parsed.document.text.bytes >= parsed.line && parsed.document.text.bytes < parsed.line + 18);
  free(parsed.line);
}

static void one_value_can_serve_two_fields(void **state) {
  (void)state;
  const struct document_fields same = {.text = "text", .id = "text", .title = "text"};
  assert_reads(&same, "{\"text\":\"a\\\\nb\"}", "a\\nb", "a\\nb", "a\\nb");
}

static void blank_lines_are_blank(void **state) {
  (void)state;
  static const char *const lines[] = {"", " ", "\t\r\n  "};
  for (int i = 0; i < 3; i++) {
    struct parsed parsed = parse(&text_only, lines[i]);
    assert_int_equal(parsed.result, DOCUMENT_BLANK);
    free(parsed.line);
  }
}

static void unknown_values_of_any_kind_pass(void **state) {
  (void)state;
  static const char *const values[] = {"null",
                                       "true",
                                       "false",
                                       "0",
                                       "-0",
                                       "10",
                                       "1.0",
                                       "-0.5e-7",
                                       "1E+400",
                                       "0e0",
                                       "123456789012345678901234567890.5e123456789",
                                       "[]",
                                       "{}",
                                       "[ ]",
                                       "{ }",
                                       "[1,[2,[3]],{}]",
                                       "[[],[],[[]]]",
                                       "{\"a\":{\"b\":[{}, {\"c\":null}]},\"d\":1}",
                                       "{\"\":\"\"}",
                                       "{\"text\":{\"text\":\"inner\"}}",
                                       "\"\\ud800\"",
                                       "\"\\udc00\\ud800x\"",
                                       "\"\\ud800\\ud800\\udc00\"",
                                       "\"\\u0000\"",
                                       "[ 1 , 2 ]",
                                       "\"\x7f\"",
                                       "\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) assert_value_passes(values[i]);
}

static void malformed_values_are_told_with_their_byte(void **state) {
  (void)state;
  static const struct {
    const char *value;
    int byte;
  } cases[] = {
      {"", 1},
      {"nul", 1},
      {"nulL", 1},
      {"True", 1},
      {"nan", 1},
      {"Inf", 1},
      {"-NaN", 2},
      {"-Infinit", 1},
      {"NaNs", 4},
      {"01", 2},
      {"-", 2},
      {"-a", 2},
      {"+1", 1},
      {".5", 1},
      {"1.", 3},
      {"1.e1", 3},
      {"1e", 3},
      {"1e+", 4},
      {"0x10", 2},
      {"[", 2},
      {"[1", 10},
      {"[1 2]", 4},
      {"[1,]", 4},
      {"[,1]", 2},
      {"[1}", 3},
      {"{]", 2},
      {"{\"a\"}", 5},
      {"{\"a\":}", 6},
      {"{\"a\":1,}", 8},
      {"{a:1}", 2},
      {"{'a':1}", 2},
      {"{\"a\":1 \"b\":2}", 8},
      {"{1:1}", 2},
      {"{\"a\":[}", 7},
      {"\"\\x\"", 2},
      {"\"\\u12g4\"", 2},
      {"\"\\u12\"", 2},
      {"\"a\tb\"", 3},
      {"\"a\x1f\"", 3},
      {"'a'", 1},
      {"\"a\"b", 4},
      {"1 1", 3},
      {"/**/1", 1},
      {"\xc3\xa0", 1},
      {"[\"a\",\xc2\xa0]", 6},
      {"{\"a\"\xff:1}", 5},
      {"\v1", 1},
      {"1\f", 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_value_fails(cases[i].value, cases[i].byte);
}

static void lines_that_are_no_object_are_told(void **state) {
  (void)state;
  static const char *const lines[] = {"[]", "\"text\"", "1", "null", "[{\"text\":\"a\"}]", " -1.5 "};
  for (int i = 0; i < 6; i++) assert_rejects(&text_only, lines[i], "not a JSON object");
  assert_rejects(&text_only, "hello", "malformed JSON at byte 1: expected a value");
  assert_rejects(&text_only, "[1", "malformed JSON at byte 3: expected ',' or ']'");
  assert_rejects(&text_only, "1 2", "malformed JSON at byte 3: expected the end of the line");
  assert_rejects(&text_only, "\xef\xbb\xbf{\"text\":\"a\"}", "malformed JSON at byte 1: expected a value");
}

static void every_cut_of_a_line_is_rejected(void **state) {
  (void)state;
  static const char line[] =
      "{\"id\":12,\"text\":\"s\xc3\xad \xe2\x82\xac \xf0\x9f\x8e\x89 "
      "\\n\\u00e0\",\"x\":[1.5e3,true,{\"y\":null}],\"z\":\"\\ud83c\\udf89\"}";
  for (size_t length = 1; length < sizeof line - 1; length++) {
    struct parsed parsed = parse_bytes(&text_only, line, length);
    assert_int_equal(parsed.result, DOCUMENT_REJECTED);
    free(parsed.line);
  }
  assert_rejects(&text_only, "{\"text\":\"a", "malformed JSON at byte 11: the line ends inside a string");
  assert_rejects(&text_only, "{\"text\":\"a\"", "malformed JSON at byte 12: expected ',' or '}'");
  assert_rejects(&text_only, "{\"text\":\"a\"}}", "malformed JSON at byte 13: expected the end of the line");
  assert_rejects(&text_only, "{\"text\":\"a\"}{\"text\":\"b\"}",
                 "malformed JSON at byte 13: expected the end of the line");
  assert_rejects(&text_only, "{\"text\":\"a\",}",
                 "malformed JSON at byte 13: expected a string in double quotes");
}

static void reasons_name_the_field(void **state) {
  (void)state;
  assert_rejects(&all_fields, "{}", "no field \"text\"");
  assert_rejects(&all_fields, "{\"text\":\"a\"}", "no field \"id\"");
  assert_rejects(&all_fields, "{\"text\":null,\"id\":1}", "field \"text\" is not a string");
  assert_rejects(&all_fields, "{\"text\":[\"a\"],\"id\":1}", "field \"text\" is not a string");
  static const char *const ids[] = {"null", "1.0", "1e3", "true", "[1]", "{}"};
  for (int i = 0; i < 6; i++) {
    char line[64];
    snprintf(line, sizeof line, "{\"text\":\"a\",\"id\":%s}", ids[i]);
    assert_rejects(&all_fields, line, "field \"id\" is neither a string nor an integer");
  }
  assert_rejects(&all_fields, "{\"text\":\"a\",\"id\":-Infinity}",
                 "field \"id\" is neither a string nor an integer: it is -Infinity");
  assert_rejects(&text_only, "{\"text\":NaN}", "field \"text\" is not a string: it is NaN");
  assert_rejects(&all_fields, "{\"text\":\"a\",\"id\":1,\"title\":false}",
                 "field \"title\" is neither a string nor null");
}

static void a_lone_surrogate_rejects_only_a_needed_field(void **state) {
  (void)state;
  const char *const reason = "field \"text\" has a lone surrogate escape, which is not a character";
  assert_rejects(&all_fields, "{\"text\":\"a\\ud800\",\"id\":1}", reason);
  assert_rejects(&all_fields, "{\"text\":\"a\\udc00\\ud800\",\"id\":1}", reason);
  assert_rejects(&all_fields, "{\"text\":\"a\\ud83c\\ud83c\\udf89\",\"id\":1}", reason);
  assert_reads(&all_fields, "{\"text\":\"\\ud800\",\"text\":\"a\",\"id\":1,\"x\":\"\\ud800\"}", "a", "1",
               NULL);
  assert_rejects(&all_fields, "{\"text\":\"a\",\"id\":\"\\udfff\"}",
                 "field \"id\" has a lone surrogate escape, which is not a character");
}

static void invalid_utf8_rejects_wherever_it_stands(void **state) {
  (void)state;
  static const char *const bad[] = {"\x80",
                                    "\xbf",
                                    "\xc0\x80",
                                    "\xc1\xbf",
                                    "\xc3",
                                    "\xc3\x28",
                                    "\xe0\x9f\xbf",
                                    "\xe2\x82",
                                    "\xe2\x28\xa1",
                                    "\xe2\x82\x28",
                                    "\xed\xa0\x80",
                                    "\xed\xbf\xbf",
                                    "\xf0\x8f\xbf\xbf",
                                    "\xf0\x9f\x8e",
                                    "\xf0\x9f\x8e\x28",
                                    "\xf0\x28\x8e\x89",
                                    "\xf0\x9f\x28\x89",
                                    "\xf4\x90\x80\x80",
                                    "\xf5\x80\x80\x80",
                                    "\xff"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    /* At every position in the steps with sixteen and eight bytes, after ASCII and after another
     * character. */
    for (int before = 0; before < 40; before++) {
      char line[160], reason[64];
      snprintf(line, sizeof line, "{\"x\":\"%.*s%s%s\",\"text\":\"a\"}", before,
               "........................................", before % 2 ? "\xc3\xa0" : "", bad[i]);
      snprintf(reason, sizeof reason, "invalid UTF-8 at byte %d", 7 + before + before % 2 * 2);
      assert_rejects(&text_only, line, reason);
    }
  assert_rejects(&text_only, "{\"text\":\"a\",\"\xff\":1}", "invalid UTF-8 at byte 14");
}

/* A control character, a quote and a backslash must be seen at every position in a fast-path step. */
static void every_place_of_a_string_is_looked_at(void **state) {
  (void)state;
  for (int before = 0; before < 40; before++)
    for (int after = 0; after < 20; after++) {
      char line[160], expected[160], reason[128];
      const char *const dots = "!~!~!~!~!~!~!~!~!~!~!~!~!~!~!~!~!~!~!~!~";
      snprintf(line, sizeof line, "{\"text\":\"%.*s\x1f%.*s\"}", before, dots, after, dots);
      snprintf(reason, sizeof reason,
               "malformed JSON at byte %d: a control character in a string must be escaped", 10 + before);
      assert_rejects(&text_only, line, reason);
      snprintf(line, sizeof line, "{\"text\":\"%.*s\\\"\xc3\xa0%.*s\"}", before, dots, after, dots);
      snprintf(expected, sizeof expected, "%.*s\"\xc3\xa0%.*s", before, dots, after, dots);
      assert_reads(&text_only, line, expected, NULL, NULL);
    }
}

/* A value inside `depth` arrays, objects, or both in turn; only `closers` levels are closed again. */
static struct parsed parse_nested(int64_t depth, int64_t closers, int pattern) {
  static const char head[] = "{\"x\":", tail[] = ",\"text\":\"t\"}";
  char *line = malloc((size_t)depth * 6 + sizeof head + sizeof tail + 8), *at = line;
  assert_non_null(line);
  at = stpcpy(at, head);
  for (int64_t i = 0; i < depth; i++) at = stpcpy(at, (pattern + i) % 3 ? "[" : "{\"\":");
  at = stpcpy(at, "1");
  for (int64_t i = depth - 1; i >= depth - closers; i--) at = stpcpy(at, (pattern + i) % 3 ? "]" : "}");
  at = stpcpy(at, tail);
  struct parsed parsed = parse_bytes(&text_only, line, (size_t)(at - line));
  free(line);
  return parsed;
}

static void any_depth_of_nesting_passes(void **state) {
  (void)state;
  static const int64_t depths[] = {1, 63, 64, 65, 4095, 4096, 4097, 8193, 200000};
  for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++)
    for (int pattern = 0; pattern < 3; pattern++) {
      struct parsed parsed = parse_nested(depths[i], depths[i], pattern);
      assert_int_equal(parsed.result, DOCUMENT_READ);
      assert_span(parsed.document.text, "t");
      free(parsed.line);
      parsed = parse_nested(depths[i], depths[i] - 1, pattern);
      assert_int_equal(parsed.result, DOCUMENT_REJECTED);
      free(parsed.line);
    }
}

static void a_reason_with_a_long_name_is_whole_utf8(void **state) {
  (void)state;
  char name[401];
  for (int i = 0; i < 400; i += 2) memcpy(name + i, "\xc3\xa0", 2);
  name[400] = '\0';
  for (int shift = 0; shift < 2; shift++) {
    if (shift) name[0] = 'x', memmove(name + 1, name + 2, 399);
    const struct document_fields fields = {.text = name, .id = NULL, .title = NULL};
    struct parsed parsed = parse(&fields, "{}");
    assert_int_equal(parsed.result, DOCUMENT_REJECTED);
    const size_t length = strlen(parsed.reason);
    assert_int_equal(parsed.reason[length - 1], '"');
    assert_int_equal((unsigned char)parsed.reason[length - 2], 0xa0);
    free(parsed.line);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_asked_for_are_found),
      cmocka_unit_test(an_integer_id_keeps_its_digits),
      cmocka_unit_test(the_last_of_duplicate_keys_counts),
      cmocka_unit_test(keys_compare_after_decoding),
      cmocka_unit_test(escapes_are_decoded_in_place),
      cmocka_unit_test(one_value_can_serve_two_fields),
      cmocka_unit_test(blank_lines_are_blank),
      cmocka_unit_test(unknown_values_of_any_kind_pass),
      cmocka_unit_test(malformed_values_are_told_with_their_byte),
      cmocka_unit_test(lines_that_are_no_object_are_told),
      cmocka_unit_test(every_cut_of_a_line_is_rejected),
      cmocka_unit_test(reasons_name_the_field),
      cmocka_unit_test(a_lone_surrogate_rejects_only_a_needed_field),
      cmocka_unit_test(invalid_utf8_rejects_wherever_it_stands),
      cmocka_unit_test(every_place_of_a_string_is_looked_at),
      cmocka_unit_test(any_depth_of_nesting_passes),
      cmocka_unit_test(a_reason_with_a_long_name_is_whole_utf8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
