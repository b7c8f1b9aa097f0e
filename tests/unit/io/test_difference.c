#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "io/difference.h"

static void phrase_names_each_path_with_both_values(void **state) {
  (void)state;
  struct difference difference = {.then = "then", .now = "now"};
  difference_add(&difference, "same", "1", "1");
  difference_add(&difference, "a", "1", "2");
  difference_add(&difference, "b", NULL, "3");
  assert_string_equal(difference_end(&difference), "a: 1 then, 2 now; b: nothing then, 3 now");
  difference_free(&difference);
}

static void phrase_names_four_and_counts_the_others(void **state) {
  (void)state;
  struct difference difference = {.then = "then", .now = "now"};
  for (int i = 0; i < 6; i++) difference_add(&difference, "p", "1", "2");
  assert_string_equal(difference_end(&difference),
                      "p: 1 then, 2 now; p: 1 then, 2 now; p: 1 then, 2 now; "
                      "p: 1 then, 2 now; and 2 more");
  difference_free(&difference);
}

static void long_value_is_cut_between_two_characters(void **state) {
  (void)state;
  char value[64] = "";
  memset(value, 'a', 59);
  struct difference difference = {.then = "then", .now = "now"};
  difference_add(&difference, "p", "1", strcat(value, "éa"));
  value[59] = '\0';
  const char *phrase = difference_end(&difference);
  assert_memory_equal(phrase, "p: 1 then, ", 11);
  assert_memory_equal(phrase + 11, value, 59);
  assert_string_equal(phrase + 70, "… now");
  difference_free(&difference);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(phrase_names_each_path_with_both_values),
      cmocka_unit_test(phrase_names_four_and_counts_the_others),
      cmocka_unit_test(long_value_is_cut_between_two_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
