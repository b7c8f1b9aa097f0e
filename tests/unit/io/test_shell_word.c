/* Words of a command line: what a shell makes of them is the path. */
#include "io/shell_word.h"
#include "tests/unit/io/scratch.h"

static const char *word_of(const char *path, struct text *text) {
  text_clear(text, 0);
  text_append_word(text, path);
  text_append(text, "", 1);
  assert_false(text->failed);
  return text->bytes;
}

static void plain_paths_stay_as_they_are(void **state) {
  (void)state;
  static const char *const plain[] = {"out/archive", "/dades/àrea_2024/part-00000.json", "a@b:c,d+e=f%g"};
  struct text text = {0};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    assert_string_equal(word_of(plain[i], &text), plain[i]);
  text_free(&text);
}

/* What `printf %s WORD` prints must be the path. */
static void shell_reads_back_the_path(void **state) {
  (void)state;
  static const char *const paths[] = {
      "",      "two words",   "it's",         "\"quoted\"",     "$HOME",       "`id`",
      "a;b",   "a&b|c<d>e",   "*?[a]",        "~user",          "back\\slash", "'",
      "''",    "tab\there",   "line\nend'",   "escape\x1b[31m", "# rest",      "!event",
      "{a,b}", "àrea' i més", "quote'\\\x07", "\\n\n"};
  struct text text = {0};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    char read[256] = "";
    assert_int_equal(setenv("NINA_TEST_WORD", word_of(paths[i], &text), 1), 0);
    FILE *shell = popen("bash -c 'eval \"set -- $NINA_TEST_WORD\"; printf %s \"$1\"'", "r");
    assert_non_null(shell);
    const size_t length = fread(read, 1, sizeof read - 1, shell);
    assert_int_equal(pclose(shell), 0);
    read[length] = '\0';
    assert_string_equal(read, paths[i]);
    for (const char *at = text.bytes; *at; at++) assert_false((unsigned char)*at < 0x20);
  }
  text_free(&text);
}

static void dash_at_the_start_is_no_option(void **state) {
  (void)state;
  struct text text = {0};
  assert_string_equal(word_of("-rf", &text), "./-rf");
  assert_string_equal(word_of("-r f", &text), "./'-r f'");
  text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_paths_stay_as_they_are),
      cmocka_unit_test(shell_reads_back_the_path),
      cmocka_unit_test(dash_at_the_start_is_no_option),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
