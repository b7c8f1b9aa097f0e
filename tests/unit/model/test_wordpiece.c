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

static uint32_t next_random(uint32_t *seed, uint32_t below) {
  *seed = *seed * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)(*seed >> 8) * below >> 24);
}

/* The definition, word for word: tries every end from the right. Returns the number of ids. */
static size_t encode_plainly(char (*vocabulary)[16], int32_t count, const char *word, int32_t *ids) {
  const size_t length = strlen(word);
  size_t found = 0;
  for (size_t at = 0, end; at < length; at = end) {
    int32_t id = -1;
    for (end = length; end > at && id < 0; end -= id < 0) {
      char piece[64];
      snprintf(piece, sizeof piece, "%s%.*s", at ? "##" : "", (int)(end - at), word + at);
      for (int32_t i = 0; i < count && id < 0; i++)
        if (!strcmp(piece, vocabulary[i])) id = i;
    }
    if (id < 0) {
      ids[0] = 0;
      return 1;
    }
    ids[found++] = id;
  }
  return found;
}

static void random_vocabularies_give_what_the_definition_gives(void **state) {
  (void)state;
  struct error error = {0};
  uint32_t seed = 11;
  for (int round = 0; round < 300; round++) {
    char vocabulary[40][16] = {"[UNK]"};
    struct wordpiece *wordpiece = wordpiece_open(&error);
    assert_non_null(wordpiece);
    const int32_t count = 2 + (int32_t)next_random(&seed, 38);
    for (int32_t id = 0; id < count; id++) {
      char *piece = vocabulary[id];
      if (id && next_random(&seed, 2)) strcpy(piece, "##");
      for (uint32_t i = id ? 1 + next_random(&seed, 4) : 0; i > 0; i--)
        strcat(piece, next_random(&seed, 3) ? "a" : "b");
      for (int32_t other = 0; other < id; other++) /* no piece twice */
        if (!strcmp(piece, vocabulary[other])) *piece = '\0';
      assert_true(wordpiece_put(wordpiece, piece, strlen(piece), id, &error));
    }
    wordpiece_prefix(wordpiece, "##", 2);
    wordpiece->longest = 100;
    for (int i = 0; i < 40; i++) {
      char word[32] = "";
      int32_t ids[32];
      for (uint32_t letters = 1 + next_random(&seed, 12); letters > 0; letters--)
        strcat(word, next_random(&seed, 3) ? "a" : "b");
      const size_t expected = encode_plainly(vocabulary, count, word, ids);
      expect_ids(wordpiece, word, strlen(word), ids, expected);
    }
    wordpiece_close(wordpiece);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(longest_piece_comes_first),
      cmocka_unit_test(word_with_an_unknown_rest_is_unknown_as_a_whole),
      cmocka_unit_test(word_of_too_many_characters_is_unknown),
      cmocka_unit_test(prefix_without_pieces_leaves_whole_words),
      cmocka_unit_test(prefix_may_be_empty),
      cmocka_unit_test(last_of_two_equal_pieces_counts),
      cmocka_unit_test(random_vocabularies_give_what_the_definition_gives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
