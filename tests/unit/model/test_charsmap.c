/* The normaliser map: its keys, and that a damaged map is refused before it is used. */
#include "host/model/charsmap.h"
#include "tests/unit/model/tiny_tokenizer.h"

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

static void shortest_key_is_matched(void **state) {
  (void)state;
  expect_match("Qa", 2, 1, "ab");
  expect_match("\v", 1, 1, "");
  expect_match("R", 1, 1, "x");
  expect_match("RR", 2, 1, "x");
  expect_match("e\u0301", 3, 3, "c");
  expect_match("e\u0301", 2, 0, NULL); /* nothing is read past the end */
  expect_match("e", 1, 0, NULL);
  expect_match("a", 1, 0, NULL);
  expect_match("\0", 1, 0, NULL);
  expect_match("\0Q", 2, 0, NULL); /* a free unit would lead back to the root's children */
  expect_match("", 0, 0, NULL);
}

static void blocks_have_the_keys_of_one_character(void **state) {
  (void)state;
  const char *found[CHARSMAP_BLOCK];
  unsigned char bytes[TINY_MAP_BYTES];
  struct charsmap map;
  struct error error;
  tiny_map(bytes);
  assert_true(charsmap_open(bytes, sizeof bytes, &map, &error));
  assert_true(charsmap_block(&map, 0x40, found));
  assert_string_equal(found['Q' - 0x40], "ab");
  assert_string_equal(found['R' - 0x40], "x");
  assert_null(found['e' - 0x40]); /* a key only together with a mark */
  assert_true(charsmap_block(&map, 0, found));
  assert_null(found[0]);
  assert_string_equal(found['\t'], " ");
  assert_false(charsmap_block(&map, 0x10ffc0, found));
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
      cmocka_unit_test(map_cut_anywhere_is_refused),
      cmocka_unit_test(map_that_leads_out_of_itself_is_refused),
      cmocka_unit_test(shortest_key_is_matched),
      cmocka_unit_test(blocks_have_the_keys_of_one_character),
      cmocka_unit_test(replacement_without_measure_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
