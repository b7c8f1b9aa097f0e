#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "io/error.h"

#define LAST (SENTENCE_BYTES - 1)

/* "aaa…", as long as asked. */
static char *long_word(size_t length) {
  char *word = malloc(length + 1);
  memset(word, 'a', length);
  word[length] = '\0';
  return word;
}

static void assert_ends_in(const char *message, const char *end) {
  assert_string_equal(message + strlen(message) - strlen(end), end);
}

static void test_two_long_paths_are_named_whole(void **state) {
  (void)state;
  struct error error;
  char *path = long_word(PATH_MAX - 1);
  errno = ENOENT;
  assert_false(error_set_errno(&error, "cannot rename %s to %s", path, path));
  assert_int_equal(error.code, ERROR_IO);
  assert_ends_in(error.message, "a: No such file or directory");
  assert_int_equal(strlen(error.message),
                   strlen("cannot rename  to : No such file or directory") + 2 * strlen(path));
  error_prefix(&error, "rank %d on %s", 7, "host");
  assert_memory_equal(error.message, "rank 7 on host: cannot rename aaa", 33);
  assert_ends_in(error.message, "a: No such file or directory");
  free(path);
}

static void test_cut_message_ends_in_an_ellipsis(void **state) {
  (void)state;
  struct error error;
  char *word = long_word(2 * SENTENCE_BYTES);
  assert_false(error_set(&error, ERROR_INPUT, "%.*s", LAST, word));
  assert_memory_equal(error.message, word, LAST);
  error_set(&error, ERROR_INPUT, "%s", word);
  assert_int_equal(strlen(error.message), LAST);
  assert_ends_in(error.message, "aaa…");
  error_set(&error, ERROR_INPUT, "short");
  error_prefix(&error, "%s", word);
  assert_int_equal(strlen(error.message), LAST);
  assert_ends_in(error.message, "aaa…");
  error_set(&error, ERROR_INPUT, "%.*s", LAST - 1, word);
  error_prefix(&error, "b");
  assert_memory_equal(error.message, "b: aaa", 6);
  assert_ends_in(error.message, "aaa…");
  free(word);
}

/* No byte of half a character is left, wherever the cut falls. */
static void test_cut_falls_between_characters(void **state) {
  (void)state;
  for (int shift = 0; shift < 4; shift++) {
    char text[SENTENCE_BYTES + 100] = "";
    struct error error;
    memset(text, 'x', (size_t)shift);
    for (size_t at = (size_t)shift; at + 3 < sizeof text; at += 3) memcpy(text + at, "€", 3);
    error_set(&error, ERROR_INPUT, "%s", text);
    assert_ends_in(error.message, "€…");
    assert_in_range(strlen(error.message), LAST - 2, LAST);
    error_append(&error, "do %d", 5);
    assert_ends_in(error.message, "€; do 5");
    assert_in_range(strlen(error.message), LAST - 5, LAST);
  }
}

static void test_advice_follows_the_message(void **state) {
  (void)state;
  struct error error;
  error_set(&error, ERROR_USAGE, "no %s", "model");
  assert_false(error_append(&error, "pass %s", "--model"));
  assert_string_equal(error.message, "no model; pass --model");
  assert_int_equal(error.code, ERROR_USAGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_long_paths_are_named_whole),
      cmocka_unit_test(test_cut_message_ends_in_an_ellipsis),
      cmocka_unit_test(test_cut_falls_between_characters),
      cmocka_unit_test(test_advice_follows_the_message),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
