/* WordPiece: the longest piece first, and words that are unknown as a whole. */
#include "host/model/wordpiece.h"

#include "tests/unit/model/folder.h"

enum { UNKNOWN, A, AB, ABC, B_AFTER, BC_AFTER, C_AFTER, E_ACUTE, E_ACUTE_AFTER, PIECES };

static const char *const pieces[PIECES] = {"[UNK]", "a", "ab", "abc", "##b", "##bc", "##c", "é", "##é"};

static struct wordpiece *open_with(const char *prefix) {
  struct error error = {0};
  struct wordpiece *wordpiece = wordpiece_open(&error);
  assert_non_null(wordpiece);
  for (int32_t id = 0; id < PIECES; id++)
    assert_true(wordpiece_put(wordpiece, pieces[id], strlen(pieces[id]), id, &error));
  wordpiece_prefix(wordpiece, prefix, strlen(prefix));
  wordpiece->unknown = UNKNOWN;
  wordpiece->longest = 6;
  return wordpiece;
}

static void expect_ids(const struct wordpiece *wordpiece, const char *word, size_t length, const int32_t *ids,
                       size_t count) {
  struct id_list list = {0};
  struct error error = {0};
  char *exact = malloc(length);
  assert_non_null(exact);
  memcpy(exact, word, length);
  assert_true(id_list_put(&list, 99, &error)); /* of a word before */
  assert_true(wordpiece_encode(wordpiece, exact, length, &list, &error));
  assert_int_equal(list.count, 1 + count);
  assert_int_equal(list.id[0], 99);
  assert_memory_equal(list.id + 1, ids, count * sizeof *ids);
  id_list_free(&list);
  free(exact);
}

#define EXPECT(wordpiece, word, ...)                                             \
  do {                                                                           \
    const int32_t expected[] = {__VA_ARGS__};                                    \
    expect_ids(wordpiece, word, sizeof word - 1, expected, sizeof expected / 4); \
  } while (0)

static void longest_piece_comes_first(void **state) {
  (void)state;
  struct wordpiece *wordpiece = open_with("##");
  EXPECT(wordpiece, "a", A);
  EXPECT(wordpiece, "abc", ABC);
  EXPECT(wordpiece, "abb", AB, B_AFTER);
  EXPECT(wordpiece, "acb", A, C_AFTER, B_AFTER);
  EXPECT(wordpiece, "abcbc", ABC, BC_AFTER);
  EXPECT(wordpiece, "éaé", UNKNOWN);
  EXPECT(wordpiece, "ééb", E_ACUTE, E_ACUTE_AFTER, B_AFTER);
  assert_int_equal(wordpiece_find(wordpiece, "##bc", 4), BC_AFTER);
  assert_int_equal(wordpiece_find(wordpiece, "##", 2), -1);
  wordpiece_close(wordpiece);
}

/* The pieces that were found before the rest are dropped. */
static void word_with_an_unknown_rest_is_unknown_as_a_whole(void **state) {
  (void)state;
  struct wordpiece *wordpiece = open_with("##");
  EXPECT(wordpiece, "abca", UNKNOWN);
  EXPECT(wordpiece, "b", UNKNOWN);
  EXPECT(wordpiece, "ab\xc3", UNKNOWN);
  EXPECT(wordpiece, "\0", UNKNOWN);
  wordpiece_close(wordpiece);
}

static void word_of_too_many_characters_is_unknown(void **state) {
  (void)state;
  struct wordpiece *wordpiece = open_with("##");
  EXPECT(wordpiece, "éééééé", E_ACUTE, E_ACUTE_AFTER, E_ACUTE_AFTER, E_ACUTE_AFTER, E_ACUTE_AFTER,
         E_ACUTE_AFTER);
  EXPECT(wordpiece, "ééééééé", UNKNOWN);
  EXPECT(wordpiece, "abccbbb", UNKNOWN);
  wordpiece_close(wordpiece);
}

static void prefix_without_pieces_leaves_whole_words(void **state) {
  (void)state;
  struct wordpiece *wordpiece = open_with("@@");
  EXPECT(wordpiece, "abc", ABC);
  EXPECT(wordpiece, "abcb", UNKNOWN);
  EXPECT(wordpiece, "aa", UNKNOWN);
  wordpiece_close(wordpiece);
}

static void prefix_may_be_empty(void **state) {
  (void)state;
  struct wordpiece *wordpiece = open_with("");
  EXPECT(wordpiece, "abcaab", ABC, A, AB);
  wordpiece_close(wordpiece);
}

static void last_of_two_equal_pieces_counts(void **state) {
  (void)state;
  struct error error = {0};
  struct wordpiece *wordpiece = open_with("##");
  assert_true(wordpiece_put(wordpiece, "ab", 2, 77, &error));
  assert_true(wordpiece_put(wordpiece, "", 0, 78, &error));
  EXPECT(wordpiece, "ab", 77);
  wordpiece_close(wordpiece);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(longest_piece_comes_first),
      cmocka_unit_test(word_with_an_unknown_rest_is_unknown_as_a_whole),
      cmocka_unit_test(word_of_too_many_characters_is_unknown),
      cmocka_unit_test(prefix_without_pieces_leaves_whole_words),
      cmocka_unit_test(prefix_may_be_empty),
      cmocka_unit_test(last_of_two_equal_pieces_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
