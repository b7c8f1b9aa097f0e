#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "io/set_digest.h"

/* A thing of two words. */
static void add(struct set_digest *digest, const char *one, const char *other) {
  set_digest_add(digest, (const struct set_digest_part[]){{one, strlen(one)}, {other, strlen(other)}}, 2);
}

static void order_does_not_count_but_everything_else_does(void **state) {
  (void)state;
  static const char *const cases[][4] = {
      {"a", "bc", "d", "e"}, /* first */
      {"d", "e", "a", "bc"}, /* the same set */
      {"ab", "c", "d", "e"},  {"a", "bc", "e", "d"}, {"bc", "a", "d", "e"},
      {"a", "bc", "a", "bc"}, {"a", "e", "d", "bc"}, {"", "abc", "d", "e"},
  };
  char first[SET_DIGEST_TEXT], text[SET_DIGEST_TEXT];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct set_digest digest = {0};
    add(&digest, cases[i][0], cases[i][1]);
    add(&digest, cases[i][2], cases[i][3]);
    set_digest_format(&digest, text);
    assert_int_equal(strspn(text, "0123456789abcdef"), SET_DIGEST_TEXT - 1);
    if (i == 0) memcpy(first, text, sizeof first);
    assert_int_equal(strcmp(text, first) == 0, i < 2);
  }
}

static void the_sum_carries_into_its_high_half(void **state) {
  (void)state;
  struct set_digest once = {0}, much = {.low = UINT64_MAX};
  add(&once, "a", "b");
  add(&much, "a", "b");
  assert_true(once.low > 0 && much.low == once.low - 1);
  assert_true(much.high == once.high + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_does_not_count_but_everything_else_does),
      cmocka_unit_test(the_sum_carries_into_its_high_half),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
