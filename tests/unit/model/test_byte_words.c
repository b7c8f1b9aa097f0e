/* The words of byte-level BPE, by GPT-2's pattern. */
#include "host/model/byte_words.h"

#include "tests/unit/model/folder.h"

/* Words with a bar between them; a space that is not in the text is written as "+". */
static void expect_words(const char *text, size_t length, bool prefix, bool whole, const char *expected) {
  struct word_reader reader = byte_words(text, text + length, prefix, whole);
  struct word word;
  char found[1024];
  size_t at = 0;
  const char *next = text;
  while (byte_word_next(&reader, &word)) {
    assert_ptr_equal(word.bytes, next);
    next = word.bytes + word.length;
    assert_true(at + word.length + 2 < sizeof found);
    if (at) found[at++] = '|';
    if (word.spaced) found[at++] = '+';
    memcpy(found + at, word.bytes, word.length);
    at += word.length;
  }
  found[at] = '\0';
  assert_ptr_equal(next, text + length);
  assert_string_equal(found, expected);
}

#define EXPECT(text, expected) expect_words(text, sizeof text - 1, false, false, expected)
#define EXPECT_PREFIX(text, expected) expect_words(text, sizeof text - 1, true, false, expected)

static void letters_digits_and_signs_take_one_space_before_them(void **state) {
  (void)state;
  EXPECT("", "");
  EXPECT("La casa 12 és gran!", "La| casa| 12| és| gran|!");
  EXPECT("abc123?!x", "abc|123|?!|x");
  EXPECT("x²½Ⅷ字٣", "x|²½Ⅷ|字|٣");
  EXPECT("e\u0301a", "e|\u0301|a"); /* a mark is no letter */
}

static void of_white_space_the_last_character_goes_with_the_next_word(void **state) {
  (void)state;
  EXPECT("a  b", "a| | b");
  EXPECT("a   b", "a|  | b");
  EXPECT("  a", " | a");
  EXPECT("a\nb", "a|\n|b");
  EXPECT("a\n\nb", "a|\n|\n|b");
  EXPECT("a \n b", "a| \n| b");
  EXPECT("a  ", "a|  ");
  EXPECT("a\u00a0b", "a|\u00a0|b");
  EXPECT(" \u2003\u3000b", " \u2003|\u3000|b");
  EXPECT(" ", " ");
}

static void english_contractions_are_words(void **state) {
  (void)state;
  EXPECT("it's we're I've I'm you'll he'd can't", "it|'s| we|'re| I|'ve| I|'m| you|'ll| he|'d| can|'t");
  EXPECT("'s't'", "'s|'t|'");
  EXPECT("l'home d'el 's !'s 'S 'r 'l", "l|'|home| d|'|el| '|s| !'|s| '|S| '|r| '|l");
  EXPECT("a'", "a|'");
  EXPECT("a'\0", "a|'");
}

/* Every stretch begins with a space then, so a contraction is none. */
static void a_space_is_put_before_a_text_that_has_none(void **state) {
  (void)state;
  EXPECT_PREFIX("", "");
  EXPECT_PREFIX("casa gran", "+casa| gran");
  EXPECT_PREFIX(" casa", " casa");
  EXPECT_PREFIX("'s", "+'|s");
  EXPECT_PREFIX("\na", "+|\n|a");
  EXPECT_PREFIX("\n\na", "+\n|\n|a");
  EXPECT_PREFIX("\n", "+\n");
  expect_words("a b", 3, true, true, "+a b");
  expect_words("a b", 3, false, true, "a b");
}

/* utf8proc of Debian 12 does not know them. */
static void letters_and_numbers_of_unicode_16_are_known(void **state) {
  (void)state;
  EXPECT("a\u1c89\U00013460\U00010d40", "a\u1c89\U00013460|\U00010d40");
  EXPECT("1\U0001e5f1\U0001e5fa\U0001e5fb", "1\U0001e5f1\U0001e5fa|\U0001e5fb");
  EXPECT("a\U0002ee5d\U0002ee5e", "a\U0002ee5d|\U0002ee5e");
}

static void a_run_without_end_is_cut_between_characters(void **state) {
  (void)state;
  static const char *const runs[] = {"é", "字", "  ", "1", "!", "\u3000", "😀"};
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
    for (int whole = 0; whole < 2; whole++) {
      const size_t size = strlen(runs[i]), times = 3 * WORD_BYTES_MAX / size;
      char *text = malloc(size * times + 1);
      assert_non_null(text);
      text[0] = 'x';
      for (size_t k = 0; k < times; k++) memcpy(text + 1 + k * size, runs[i], size);
      struct word_reader reader = byte_words(text, text + size * times + 1, false, whole);
      struct word word;
      const char *next = text;
      for (int words = 0; byte_word_next(&reader, &word); words++) {
        assert_ptr_equal(word.bytes, next);
        assert_in_range(word.length, 1, WORD_BYTES_MAX);
        assert_true(((unsigned char)*word.bytes & 0xc0) != 0x80);
        assert_true(words < 8);
        next = word.bytes + word.length;
      }
      assert_ptr_equal(next, text + size * times + 1);
      free(text);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(letters_digits_and_signs_take_one_space_before_them),
      cmocka_unit_test(of_white_space_the_last_character_goes_with_the_next_word),
      cmocka_unit_test(english_contractions_are_words),
      cmocka_unit_test(a_space_is_put_before_a_text_that_has_none),
      cmocka_unit_test(letters_and_numbers_of_unicode_16_are_known),
      cmocka_unit_test(a_run_without_end_is_cut_between_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
