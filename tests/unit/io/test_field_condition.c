#include "io/field_condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka.h leaves the four above to whoever includes it. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "io/decimal.h"

/* True if the conditions, NULL after the last, hold for the line. */
static bool hold(const char *list, const char *line, const char *one, const char *other) {
  struct kept_fields kept;
  struct field_condition condition[2];
  struct error error;
  int32_t count = 0;
  if (!kept_fields_parse(list, &kept, &error)) fail_msg("%s: %s", list, error.message);
  for (const char *text = one; text && count < 2; text = other)
    if (!field_condition_parse(text, &kept, "out", &condition[count++], &error))
      fail_msg("%s: %s", text, error.message);
  const size_t length = strlen(line);
  char *copy = malloc(length + 1); /* of just its size: a sanitizer sees a read past its end */
  assert_non_null(copy);
  memcpy(copy, line, length);
  bool holds;
  assert_true(field_conditions_hold(condition, other ? count : 1, copy, (int64_t)length, &holds));
  free(copy);
  kept_fields_free(&kept);
  return holds;
}

static void a_condition_holds_by_the_value_that_the_field_has(void **state) {
  (void)state;
  static const struct {
    const char *line, *condition;
    bool holds;
  } cases[] = {
      {"{\"f\":\"a\"}", "f=a", true},
      {"{\"f\":\"a\"}", "f=ab", false},
      {"{\"f\":\"ab\"}", "f>a", true},
      {"{ \"f\" : \"a\" , \"g\":1 }", "f <= a", true},
      {"{\"g\":1,\"f\":\"a\"}", "f!=a", false},
      {"{}", "f=a", false},
      {"{}", "f<a", false},
      {"{}", "f!=a", true},
      {"{\"f\":\"\"}", "f=", true},
      {"{\"f\":\"\\u00e0\\n\\\"\"}", "f=à\n\"", true},
      {"{\"\\u0066\":\"a\"}", "f=a", true},
      {"{\"f\":\"\\ud83d\\ude00\"}", "f>\uffee", true}, /* by code points, not by UTF-16 */
      {"{\"f\":\"\\ud83d\"}", "f=?", false},
      {"{\"f\":1.50e1}", "f=15", true},
      {"{\"f\":9}", "f<10", true},
      {"{\"f\":\"9\"}", "f<10", false}, /* a string: by code points */
      {"{\"f\":-9}", "f<-8.5", true},
      {"{\"f\":12345678901234567890123}", "f=12345678901234567890124", false},
      {"{\"f\":9}", "f<ten", false},
      {"{\"f\":9}", "f!=ten", true},
      {"{\"f\":true}", "f=true", true},
      {"{\"f\":false}", "f=true", false},
      {"{\"f\":true}", "f>=true", false},
      {"{\"f\":null}", "f=null", true},
      {"{\"f\":null}", "f!=a", true},
      {"{\"f\":[1]}", "f=[1]", false},
      {"{\"f\":{}}", "f!=a", true},
      {"{\"f\":\"2026-11-03\"}", "f=2026-11-03T00:00Z", true},
      {"{\"f\":\"2026-11-03T09:30:00+02:00\"}", "f=2026-11-03 07:30", true},
      {"{\"f\":\"2026-11-03T23:30:00-01:00\"}", "f>2026-11-04", true},
      {"{\"f\":\"2026-11-03T00:00:00.25Z\"}", "f>2026-11-03T00:00:00.249999999Z", true},
      {"{\"f\":\"2026-02-30\"}", "f<2026-03-01", true}, /* no date: by code points */
      {"{\"f\":\"2026-11-03\"}", "f>=2026", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (hold("f", cases[i].line, cases[i].condition, NULL) != cases[i].holds)
      fail_msg("%s, %s: expected %d", cases[i].line, cases[i].condition, cases[i].holds);
}

static void all_conditions_must_hold_also_on_one_field(void **state) {
  (void)state;
  const char *line = "{\"f\":\"b\\u0062\",\"g.h\":2}";
  assert_true(hold("f,g.h", line, "f>b", "f<c"));
  assert_true(hold("f,g.h", line, "f=bb", "f!=b"));
  assert_true(hold("f,g.h", line, "f=bb", "g.h=2"));
  assert_false(hold("f,g.h", line, "f=bb", "g.h=3"));
  assert_false(hold("f,g.h", line, "f=b", "g.h=2"));
}

static void the_longest_name_before_an_operator_is_the_field(void **state) {
  (void)state;
  assert_true(hold("a,a=b", "{\"a=b\":\"c\",\"a\":\"x\"}", "a=b=c", NULL));
  assert_true(hold("a", "{\"a\":\"b=c\"}", "a=b=c", NULL));
  assert_true(hold("a,a\\.b", "{\"a\\\\.b\":1}", "a\\.b=1", NULL));
}

static void a_line_that_is_no_object_is_told(void **state) {
  (void)state;
  struct kept_fields kept;
  struct field_condition condition;
  struct error error;
  assert_true(kept_fields_parse("f", &kept, &error));
  assert_true(field_condition_parse("f=a", &kept, "out", &condition, &error));
  for (const char *const *line =
           (const char *const[]){"", "[]", "{\"f\":1", "{\"f\":1,}", "{}x", "{\"f\"}", NULL};
       *line; line++) {
    char copy[32];
    bool holds;
    strcpy(copy, *line);
    if (field_conditions_hold(&condition, 1, copy, (int64_t)strlen(copy), &holds)) fail_msg("%s", *line);
  }
  kept_fields_free(&kept);
}

static void numbers_compare_exactly_however_they_are_spelled(void **state) {
  (void)state;
  static const char *const rising[] = {"-1e400", "-10",     "-9.5", "-0.001", "0",    "1e-400",
                                       "1E-3",   "0.00101", "0.9",  "1",      "1.01", "10",
                                       "10.5",   "100",     "1e15", "1e99",   "1e400"};
  static const char *const equal[][2] = {
      {"1", "1.0"},    {"-0", "0.000"},     {"100", "1e2"},      {"0e99999999999999999999", "0"},
      {"0.1", "1e-1"}, {"12.50", "125e-1"}, {"0.00012E4", "1.2"}};
  const int count = (int)(sizeof rising / sizeof *rising);
  for (int a = 0; a < count; a++)
    for (int b = 0; b < count; b++) {
      const int order =
          decimal_compare(rising[a], (int64_t)strlen(rising[a]), rising[b], (int64_t)strlen(rising[b]));
      if (order != (a > b) - (a < b)) fail_msg("%s, %s: %d", rising[a], rising[b], order);
    }
  for (size_t i = 0; i < sizeof equal / sizeof *equal; i++)
    assert_int_equal(
        decimal_compare(equal[i][0], (int64_t)strlen(equal[i][0]), equal[i][1], (int64_t)strlen(equal[i][1])),
        0);
}

static void dates_count_seconds_since_1970(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t seconds;
  } cases[] = {{"1970-01-01", 0},
               {"1969-12-31T23:59:59Z", -1},
               {"2000-02-29", 951782400},
               {"2026-11-29T01:30:00+01:00", 1795912200},
               {"0000-01-01", -62167219200},
               {"9999-12-31T23:59:59", 253402300799}};
  static const char *const wrong[] = {"2026",
                                      "2026-11",
                                      "2026-13-01",
                                      "1900-02-29",
                                      "2026-11-31",
                                      "2026-11-03T",
                                      "2026-11-03T25:00",
                                      "2026-11-03T09",
                                      "2026-11-03T09:30:00.",
                                      "2026-11-03T09:30+",
                                      "2026-11-03T09:30Zx",
                                      "2026-11-03x",
                                      "03-11-2026",
                                      ""};
  struct iso_date date;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_true(iso_date_read(cases[i].text, (int64_t)strlen(cases[i].text), &date));
    if (date.seconds != cases[i].seconds) fail_msg("%s: %lld", cases[i].text, (long long)date.seconds);
  }
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    if (iso_date_read(wrong[i], (int64_t)strlen(wrong[i]), &date))
      fail_msg("%s is taken for a date", wrong[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_condition_holds_by_the_value_that_the_field_has),
      cmocka_unit_test(all_conditions_must_hold_also_on_one_field),
      cmocka_unit_test(the_longest_name_before_an_operator_is_the_field),
      cmocka_unit_test(a_line_that_is_no_object_is_told),
      cmocka_unit_test(numbers_compare_exactly_however_they_are_spelled),
      cmocka_unit_test(dates_count_seconds_since_1970),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
