/* The normaliser map: which characters end a word, and that a damaged map is refused before anything follows
 * it. */
#include "host/model/charsmap.h"
#include "tests/unit/model/tiny_tokenizer.h"

static struct border_set borders; /* 136 KiB: too large for a stack */

static void borders_are_what_the_map_turns_into_a_space(void **state) {
  (void)state;
  unsigned char bytes[TINY_MAP_BYTES];
  struct charsmap map;
  struct error error;
  tiny_map(bytes);
  assert_true(charsmap_open(bytes, sizeof bytes, &map, &error));
  border_set_fill(&borders, &map);
  assert_true(border_set_has(&borders, '\t'));
  assert_true(border_set_has(&borders, ' '));
  assert_true(border_set_has(&borders, 0x85));
  assert_true(border_set_has(&borders, 0x3000));
  assert_false(border_set_has(&borders, '\v')); /* deleted, so the letters around it belong together */
  assert_false(border_set_has(&borders, 'Q'));  /* replaced by letters */
  assert_false(border_set_has(&borders, 0));
  assert_false(border_set_has(&borders, 0x10ffff));
}

static void without_a_map_white_space_ends_words(void **state) {
  (void)state;
  struct charsmap map;
  struct error error;
  int count = 0;
  assert_true(charsmap_open(NULL, 0, &map, &error));
  border_set_fill(&borders, &map);
  for (uint32_t c = 0; c < CODE_POINTS; c++) count += border_set_has(&borders, c);
  assert_int_equal(count, 25); /* characters with Unicode's White_Space */
}

static void refuse(const unsigned char *bytes, size_t size) {
  struct charsmap map;
  struct error error = {0};
  assert_false(charsmap_open(bytes, size, &map, &error));
  assert_error(&error, ERROR_INPUT, "the normaliser map");
}

static void map_cut_anywhere_is_refused(void **state) {
  (void)state;
  unsigned char bytes[TINY_MAP_BYTES];
  tiny_map(bytes);
  for (size_t size = 1; size <= 4 + 4 * TINY_MAP_UNITS; size++) refuse(bytes, size);
  refuse(bytes, 4 + 4 * TINY_MAP_UNITS + 2); /* a replacement without its end */
}

static void map_that_leads_out_of_itself_is_refused(void **state) {
  (void)state;
  static const size_t node = 4 + 4 * (256 ^ 'Q'), value = 4 + 4 * 514;
  unsigned char bytes[TINY_MAP_BYTES];
  tiny_map(bytes);
  bytes[node + 2] = 0xff; /* children past the last unit */
  refuse(bytes, sizeof bytes);
  tiny_map(bytes);
  bytes[value] = 200; /* a replacement past the last one */
  refuse(bytes, sizeof bytes);
  tiny_map(bytes);
  bytes[4 + 3] |= 0x80; /* a root that is a value */
  refuse(bytes, sizeof bytes);
  tiny_map(bytes);
  bytes[2] = 1; /* a trie longer than the file */
  refuse(bytes, sizeof bytes);
}

static void expect_match(const char *text, size_t length, size_t taken, const char *expected) {
  unsigned char bytes[TINY_MAP_BYTES];
  struct charsmap map;
  struct error error;
  const char *replacement = NULL;
  size_t size = 0;
  tiny_map(bytes);
  assert_true(charsmap_open(bytes, sizeof bytes, &map, &error));
  assert_int_equal(charsmap_match(&map, text, length, &replacement, &size), taken);
  if (!taken) return;
  assert_string_equal(replacement, expected);
  assert_int_equal(size, strlen(expected));
}

static void longest_key_is_matched(void **state) {
  (void)state;
  expect_match("Qa", 2, 1, "ab");
  expect_match("\v", 1, 1, "");
  expect_match("R", 1, 1, "x");
  expect_match("RR", 2, 2, "y");
  expect_match("RRR", 3, 2, "y");
  expect_match("RR", 1, 1, "x"); /* nothing is read past the end */
  expect_match("RS", 2, 1, "x");
  expect_match("a", 1, 0, NULL);
  expect_match("\0", 1, 0, NULL);
  expect_match("\0Q", 2, 0, NULL); /* a free unit would lead back to the root's children */
  expect_match("", 0, 0, NULL);
}

static void replacement_without_measure_is_refused(void **state) {
  (void)state;
  unsigned char bytes[TINY_MAP_BYTES + CHARSMAP_REPLACEMENT_BYTES + 2] = {0};
  tiny_map(bytes);
  memset(bytes + 4 + 4 * TINY_MAP_UNITS + 3, 'a', CHARSMAP_REPLACEMENT_BYTES + 1);
  refuse(bytes, sizeof bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(borders_are_what_the_map_turns_into_a_space),
      cmocka_unit_test(without_a_map_white_space_ends_words),
      cmocka_unit_test(map_cut_anywhere_is_refused),
      cmocka_unit_test(map_that_leads_out_of_itself_is_refused),
      cmocka_unit_test(longest_key_is_matched),
      cmocka_unit_test(replacement_without_measure_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
