#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/cli/commands.h"
#include "host/cli/say.h"
#include "host/cli/streams.h"

/* The linker redirects our own calls (tests/unit/CMakeLists.txt). */
void *__real_realloc(void *bytes, size_t size);
void *__wrap_realloc(void *bytes, size_t size);

static bool memory_is_short;

void *__wrap_realloc(void *bytes, size_t size) {
  return memory_is_short ? NULL : __real_realloc(bytes, size);
}

static void expect(const char *given, const char *printed) {
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  assert_non_null(stream);
  say_line(stream, "%s", given);
  assert_int_equal(fclose(stream), 0);
  assert_true(size > 0 && text[size - 1] == '\n');
  text[size - 1] = '\0';
  assert_string_equal(text, printed);
  free(text);
}

static void text_is_printed_as_it_is(void **state) {
  (void)state;
  expect("", "");
  expect("l·l “é” 日本 😀 \xf4\x8f\xbf\xbf", "l·l “é” 日本 😀 \xf4\x8f\xbf\xbf");
}

static void characters_that_steer_a_terminal_are_spelled(void **state) {
  (void)state;
  expect("a\x1b]0;x\x07z", "a\\x1b]0;x\\x07z");
  expect("one\ntwo\tthree\rfour\x7f", "one\\ntwo\\tthree\\x0dfour\\x7f");
  expect(
      "csi \xc2\x9b"
      "1m",
      "csi \\u009b1m");
  expect(
      "\xe2\x80\xae"
      "exe.txt\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c",
      "\\u202eexe.txt\\u2066\\u200f\\u061c");
  expect("line\xe2\x80\xa8paragraph\xe2\x80\xa9", "line\\u2028paragraph\\u2029");
}

/* A terminal may take a stray byte for a C1 control character. */
static void bytes_that_are_no_utf8_are_spelled(void **state) {
  (void)state;
  expect(
      "\x9b"
      "1m",
      "\\x9b1m");
  expect("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80", "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");
  expect("\xe2\x82", "\\xe2\\x82");
}

static void line_that_is_lost_fails_the_program(void **state) {
  (void)state;
  assert_int_equal(streams_close(EXIT_DONE), EXIT_DONE);
  memory_is_short = true;
  say_line(stdout, "%s", "lost");
  memory_is_short = false;
  assert_int_equal(streams_close(EXIT_DONE), EXIT_FAILED);
  assert_int_equal(streams_close(EXIT_REJECTS), EXIT_FAILED);
  assert_int_equal(streams_close(EXIT_USAGE), EXIT_USAGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_printed_as_it_is),
      cmocka_unit_test(characters_that_steer_a_terminal_are_spelled),
      cmocka_unit_test(bytes_that_are_no_utf8_are_spelled),
      cmocka_unit_test(line_that_is_lost_fails_the_program),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
