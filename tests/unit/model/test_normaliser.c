/* Words as the pieces spell them: marks in place of spaces, replacements, and parts. */
#include "host/model/normaliser.h"
#include "tests/unit/model/tiny_tokenizer.h"

static void expect(const char *word, size_t length, const char *expected) {
  const struct word plain = {.bytes = word, .length = length, .plain = true};
  unsigned char bytes[TINY_MAP_BYTES];
  struct word_text text = {0};
  struct charsmap map;
  struct error error;
  tiny_map(bytes);
  assert_true(charsmap_open(bytes, sizeof bytes, &map, &error));
  assert_true(word_normalise(&map, NULL, &plain, &text, &error));
  assert_int_equal(text.length, strlen(expected));
  if (text.length) assert_memory_equal(text.bytes, expected, text.length);
  word_text_free(&text);
}

#define EXPECT(word, expected) expect(word, sizeof word - 1, expected)

static void mark_stands_before_every_word(void **state) {
  (void)state;
  EXPECT("abc", "▁abc");
  EXPECT("é字😀", "▁é字😀");
  EXPECT("", "");
}

static void map_replaces_each_character(void **state) {
  (void)state;
  EXPECT("cQc", "▁cabc");
  EXPECT("R", "▁x");
  EXPECT("RRR", "▁xxx");
  EXPECT("a\vb", "▁ab");
  EXPECT("\v", "");
}

static void mark_of_the_text_itself_counts(void **state) {
  (void)state;
  EXPECT("▁a", "▁a");
  EXPECT("▁▁a", "▁▁a");
  EXPECT("\t▁a", "▁a");
}

static void spaces_become_one_mark_and_none_at_the_ends(void **state) {
  (void)state;
  EXPECT("T", "▁a▁b");
  EXPECT("cTc", "▁c▁a▁b▁c");
  EXPECT("TT", "▁a▁b▁a▁b");
  EXPECT("\t", "");
  EXPECT("\t\tc\t", "▁c");
}

static void parts_begin_with_a_mark(void **state) {
  (void)state;
  static const char text[] = "▁ab▁▁c";
  assert_int_equal(word_part(text, sizeof text - 1), 5);
  assert_int_equal(word_part(text + 5, sizeof text - 1 - 5), 3);
  assert_int_equal(word_part(text + 8, sizeof text - 1 - 8), 4);
}

static void characters_cut_short_are_read_within_bounds(void **state) {
  (void)state;
  static const char cut[] = "a\xe5\xad\xf0\x9f\x98";
  unsigned char bytes[TINY_MAP_BYTES];
  struct word_text text = {0};
  struct charsmap map;
  struct error error;
  tiny_map(bytes);
  assert_true(charsmap_open(bytes, sizeof bytes, &map, &error));
  for (size_t length = 1; length < sizeof cut; length++) {
    char *exact = malloc(length);
    assert_non_null(exact);
    memcpy(exact, cut, length);
    const struct word plain = {.bytes = exact, .length = length, .plain = true};
    assert_true(word_normalise(&map, NULL, &plain, &text, &error));
    assert_int_equal(text.length, length + WORD_MARK_BYTES);
    free(exact);
  }
  word_text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mark_stands_before_every_word),
      cmocka_unit_test(map_replaces_each_character),
      cmocka_unit_test(mark_of_the_text_itself_counts),
      cmocka_unit_test(spaces_become_one_mark_and_none_at_the_ends),
      cmocka_unit_test(parts_begin_with_a_mark),
      cmocka_unit_test(characters_cut_short_are_read_within_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
