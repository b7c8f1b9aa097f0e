#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/cli/human.h"

static void numbers_read_as_people_write_them(void **state) {
  (void)state;
  char text[32];
  human_count(0, text);
  assert_string_equal(text, "0");
  human_count(999, text);
  assert_string_equal(text, "999");
  human_count(1000, text);
  assert_string_equal(text, "1,000");
  human_count(123456789, text);
  assert_string_equal(text, "123,456,789");
  human_count(INT64_MAX, text);
  assert_string_equal(text, "9,223,372,036,854,775,807");
}

static void one_takes_the_singular(void **state) {
  (void)state;
  char text[48];
  human_counted(1, "query", "queries", text);
  assert_string_equal(text, "1 query");
  human_counted(0, "query", "queries", text);
  assert_string_equal(text, "0 queries");
  human_counted(1001, "query", "queries", text);
  assert_string_equal(text, "1,001 queries");
}

static void bytes_take_the_unit_that_fits(void **state) {
  (void)state;
  char text[32];
  human_bytes(1023, text);
  assert_string_equal(text, "1023 B");
  human_bytes(1536, text);
  assert_string_equal(text, "1.5 KiB");
  human_bytes((int64_t)3 << 40, text);
  assert_string_equal(text, "3.0 TiB");
  human_bytes(INT64_MAX, text);
  assert_string_equal(text, "8.0 EiB");
}

static void times_carry_over_at_their_borders(void **state) {
  (void)state;
  char text[32];
  human_seconds(0.84, text);
  assert_string_equal(text, "0.8 s");
  human_seconds(59.4, text);
  assert_string_equal(text, "59 s");
  human_seconds(59.6, text);
  assert_string_equal(text, "1:00");
  human_seconds(3599.6, text);
  assert_string_equal(text, "1:00:00");
  human_seconds(90061, text);
  assert_string_equal(text, "25:01:01");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_read_as_people_write_them),
      cmocka_unit_test(one_takes_the_singular),
      cmocka_unit_test(bytes_take_the_unit_that_fits),
      cmocka_unit_test(times_carry_over_at_their_borders),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
