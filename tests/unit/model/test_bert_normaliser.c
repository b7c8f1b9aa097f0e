/* BERT's normaliser and cut into tokens. What is expected here was asked of Hugging Face's tokenizers 0.23;
 * every character is held against them by tests/e2e/test_tokens.py. */
#include "host/model/bert_normaliser.h"

#include "tests/unit/model/folder.h"

/* clean_text, spaced_ideographs, strip_accents, lowercase. */
static const struct bert_normaliser uncased = {true, true, true, true}, cased = {true, true, false, false},
                                    lower = {true, true, false, true}, strip = {false, false, true, false},
                                    nothing = {false, false, false, false};

static void expect_text(const struct bert_normaliser *normaliser, const char *text, size_t length,
                        const char *expected, size_t expected_length) {
  struct word_text found = {0};
  struct error error = {0};
  assert_true(bert_normalise(normaliser, text, length, &found, &error));
  if (found.length != expected_length ||
      (expected_length && memcmp(found.bytes, expected, expected_length) != 0))
    fail_msg("\"%.*s\" becomes \"%.*s\", expected \"%s\"", (int)length, text, (int)found.length, found.bytes,
             expected);
  word_text_free(&found);
}

#define EXPECT(normaliser, text, expected) \
  expect_text(normaliser, text, sizeof text - 1, expected, sizeof expected - 1)

static void control_characters_are_dropped_and_white_space_becomes_a_space(void **state) {
  (void)state;
  EXPECT(&cased, "a\0b\ufffdc\x0b\x64\xc2\x85\x65\u200df\ue000", "abcdef");
  EXPECT(&cased, "a\tb\nc\rd\u00a0e\u2028f\u3000g", "a b c d e f g");
  EXPECT(&nothing, "a\0b\ufffdc\x0b\t\u200d", "a\0b\ufffdc\x0b\t\u200d");
  EXPECT(&cased, "", "");
}

static void chinese_characters_stand_between_spaces(void **state) {
  (void)state;
  EXPECT(&cased, "x中国y㐀豈", "x 中  国 y 㐀  豈 ");
  EXPECT(&cased, "かな한글", "かな한글");
  EXPECT(&nothing, "x中国y", "x中国y");
}

static void accents_are_dropped_and_hangul_falls_apart(void **state) {
  (void)state;
  EXPECT(&uncased, "ÀÉñ ǖ e\u0301\u0323 \u0301x", "aen u e x");
  EXPECT(&strip, "가각", "\u1100\u1161\u1100\u1161\u11a8");
  EXPECT(&strip, "≠ ≮ \u1fef", "= < `");
  EXPECT(&cased, "Àe\u0301", "Àe\u0301");
}

/* "İ" is the only character that becomes two; a sigma does not look at its place. */
static void each_character_is_lowered_by_itself(void **state) {
  (void)state;
  EXPECT(&lower, "İI ÀÉ ΌΣΟΣ ẞ ǅ", "i\u0307i àé όσοσ ß ǆ");
  EXPECT(&uncased, "İI ÀÉ ΌΣΟΣ ẞ ǅ", "ii ae οσοσ ß ǆ");
  EXPECT(&lower, "\ua7cb\U00010d50\u1c89", "\u0264\U00010d70\u1c8a"); /* Unicode 16 */
}

/* Marks that are not dropped move among themselves; one of class 0 stops them, also if it is dropped. */
static void marks_that_stay_are_put_in_order(void **state) {
  (void)state;
  EXPECT(&strip, "a\U0001d16d\u302e\U0001d165b", "a\U0001d165\u302e\U0001d16db");
  EXPECT(&strip, "a\U0001d16d\u0301\u034f\U0001d165b", "a\U0001d16d\U0001d165b");
  EXPECT(&cased, "a\U0001d16d\u302eb", "a\U0001d16d\u302eb");
  EXPECT(&strip, "\u1734\U0001171e\u08d4", "\u08d4"); /* two that Unicode 8 called marks, and a newer one */
  EXPECT(&strip, "\U00011938", "\U00011938");         /* Unicode 13 */
}

static void any_number_of_marks_is_bounded(void **state) {
  (void)state;
  enum { COUNT = 5 * BERT_MARKS_MAX };
  struct word_text found = {0};
  struct error error = {0};
  char *text = malloc(7 * COUNT);
  assert_non_null(text);
  for (int i = 0; i < COUNT; i++) memcpy(text + 7 * i, "\U0001d16d\u302e", 7);
  assert_true(bert_normalise(&strip, text, 7 * COUNT, &found, &error));
  assert_int_equal(found.length, 7 * COUNT);
  assert_memory_equal(found.bytes, "\u302e\u302e", 6);
  word_text_free(&found);
  free(text);
}

static void expect_tokens(const char *text, size_t length, const char *const *tokens, size_t count) {
  const char *at = text, *const end = text + length, *token;
  size_t size, found = 0;
  for (; bert_token_next(&at, end, &token, &size); found++) {
    assert_true(found < count);
    assert_int_equal(size, strlen(tokens[found]));
    assert_memory_equal(token, tokens[found], size);
  }
  assert_int_equal(found, count);
}

#define TOKENS(text, ...)                                                               \
  do {                                                                                  \
    static const char *const expected[] = {__VA_ARGS__};                                \
    expect_tokens(text, sizeof text - 1, expected, sizeof expected / sizeof *expected); \
  } while (0)

static void tokens_end_at_white_space_and_punctuation(void **state) {
  (void)state;
  TOKENS(" x+y$z  w ", "x", "+", "y", "$", "z", "w");
  TOKENS("¿què?·no—sí", "¿", "què", "?", "·", "no", "—", "sí");
  TOKENS("a\x0b\x62\xc2\x85\x63\u3000、d", "a", "b", "c", "、", "d");
  TOKENS("€5° ‿a", "€5°", "‿", "a");
  TOKENS("\u2e52a\u166db", "\u2e52a", "\u166d", "b"); /* punctuation of Unicode 14; a sign that was one */
  expect_tokens("  ", 2, NULL, 0);
  assert_true(bert_has_space("a\u2003b", 5));
  assert_false(bert_has_space("a\u200bb", 5));
}

static uint32_t next_random(uint32_t *seed, uint32_t below) {
  *seed = *seed * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)(*seed >> 8) * below >> 24);
}

/* What token_encoder.c and tokenizer_wordpiece.c rely on when they cut a text. */
static void text_may_be_cut_at_space_punctuation_and_chinese(void **state) {
  (void)state;
  static const char *const parts[] = {"a",      "É", "\u0301", "\U0001d16d", "\u302e", "가",
                                      "\u11a8", "İ", "\u0345", "≠",          "\x01",   "ｶﾞ"};
  static const char *const borders[] = {" ", "\t", ",", "'", "=", "中", "豈"};
  struct error error = {0};
  uint32_t seed = 3;
  for (int round = 0; round < 3000; round++) {
    struct word_text whole = {0}, first = {0}, second = {0};
    char text[256] = "";
    size_t cut = 0;
    for (uint32_t side = 0; side < 2; side++) {
      for (uint32_t i = next_random(&seed, 6); i > 0; i--) strcat(text, parts[next_random(&seed, 12)]);
      if (side == 0) strcat(text, borders[next_random(&seed, 7)]);
      if (side == 0) cut = strlen(text);
    }
    assert_true(bert_normalise(&uncased, text, strlen(text), &whole, &error));
    assert_true(bert_normalise(&uncased, text, cut, &first, &error));
    assert_true(bert_normalise(&uncased, text + cut, strlen(text) - cut, &second, &error));
    assert_int_equal(whole.length, first.length + second.length);
    assert_memory_equal(whole.bytes, first.bytes, first.length);
    if (second.length) assert_memory_equal(whole.bytes + first.length, second.bytes, second.length);
    word_text_free(&whole);
    word_text_free(&first);
    word_text_free(&second);
  }
}

static void bytes_that_are_no_text_are_read_within_bounds(void **state) {
  (void)state;
  struct word_text found = {0};
  struct error error = {0};
  uint32_t seed = 1;
  for (size_t i = 0; i < 4000; i++) {
    const size_t length = i % 24;
    char *text = malloc(length ? length : 1);
    assert_non_null(text);
    for (size_t k = 0; k < length; k++) text[k] = (char)(128 + next_random(&seed, 128));
    assert_true(bert_normalise(i % 2 ? &uncased : &cased, text, length, &found, &error));
    const char *at = found.bytes, *token;
    while (found.length && bert_token_next(&at, found.bytes + found.length, &token, &(size_t){0})) {
    }
    free(text);
  }
  word_text_free(&found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(control_characters_are_dropped_and_white_space_becomes_a_space),
      cmocka_unit_test(chinese_characters_stand_between_spaces),
      cmocka_unit_test(accents_are_dropped_and_hangul_falls_apart),
      cmocka_unit_test(each_character_is_lowered_by_itself),
      cmocka_unit_test(marks_that_stay_are_put_in_order),
      cmocka_unit_test(any_number_of_marks_is_bounded),
      cmocka_unit_test(tokens_end_at_white_space_and_punctuation),
      cmocka_unit_test(text_may_be_cut_at_space_punctuation_and_chinese),
      cmocka_unit_test(bytes_that_are_no_text_are_read_within_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
