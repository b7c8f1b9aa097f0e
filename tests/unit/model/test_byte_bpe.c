/* Byte-level BPE: merges by rank, long words, bytes without a piece, vocabularies that do not fit together.
 */
#include "host/model/byte_bpe.h"

#include "tests/unit/model/folder.h"

enum { A, B, C, SPACE, AB, BC, ABC, CC, CCCC, PIECES };

static void add(struct byte_bpe *bpe, const char *piece, int32_t id) {
  struct error error = {0};
  if (!byte_bpe_add(bpe, piece, strlen(piece), id, &error)) fail_msg("%s", error.message);
}

static bool merge(struct byte_bpe *bpe, const char *left, const char *right, struct error *error) {
  return byte_bpe_merge(bpe, left, strlen(left), right, strlen(right), error);
}

static struct byte_bpe *letters(int32_t unknown) {
  static const char *const pieces[PIECES] = {"a", "b", "c", "Ġ", "ab", "bc", "abc", "cc", "cccc"};
  struct error error = {0};
  struct byte_bpe *bpe = byte_bpe_open(unknown, &error);
  assert_non_null(bpe);
  for (int32_t id = 0; id < PIECES; id++) add(bpe, pieces[id], id);
  return bpe;
}

static void expect_ids(const struct byte_bpe *bpe, const char *text, size_t length, const int32_t *ids,
                       size_t count) {
  struct byte_merger merger = {0};
  struct id_list found = {0};
  struct error error = {0};
  assert_true(byte_bpe_encode(bpe, &merger, text, length, &found, &error));
  assert_int_equal(found.count, count);
  if (count) assert_memory_equal(found.id, ids, count * sizeof *ids);
  id_list_free(&found);
  byte_merger_free(&merger);
}

#define EXPECT(bpe, text, ...)                                             \
  do {                                                                     \
    const int32_t expected[] = {__VA_ARGS__};                              \
    expect_ids(bpe, text, sizeof text - 1, expected, sizeof expected / 4); \
  } while (0)

static void pairs_of_lowest_rank_merge_first(void **state) {
  (void)state;
  struct error error = {0};
  struct byte_bpe *bpe = letters(-1);
  EXPECT(bpe, "abc", A, B, C);
  assert_true(merge(bpe, "b", "c", &error) && merge(bpe, "a", "b", &error));
  EXPECT(bpe, "abc", A, BC);
  EXPECT(bpe, "abab bc", AB, AB, SPACE, BC);
  assert_true(merge(bpe, "a", "bc", &error));
  EXPECT(bpe, "abcab", ABC, AB);
  byte_bpe_close(bpe);
}

static void equal_pairs_merge_from_the_left(void **state) {
  (void)state;
  struct error error = {0};
  struct byte_bpe *bpe = letters(-1);
  assert_true(merge(bpe, "c", "c", &error));
  EXPECT(bpe, "ccc", CC, C);
  EXPECT(bpe, "ccccc", CC, CC, C);
  assert_true(merge(bpe, "cc", "cc", &error));
  EXPECT(bpe, "ccccccc", CCCC, CC, C);
  byte_bpe_close(bpe);
}

static void a_pair_that_is_listed_twice_has_its_last_rank(void **state) {
  (void)state;
  struct error error = {0};
  struct byte_bpe *bpe = letters(-1);
  assert_true(merge(bpe, "a", "b", &error) && merge(bpe, "b", "c", &error));
  EXPECT(bpe, "abc", AB, C);
  assert_true(merge(bpe, "a", "b", &error));
  EXPECT(bpe, "abc", A, BC);
  byte_bpe_close(bpe);
}

/* Without an unknown token, a byte that has no piece is left out, and its neighbours may merge. */
static void bytes_without_a_piece_are_unknown_or_nothing(void **state) {
  (void)state;
  struct error error = {0};
  struct byte_bpe *bpe = letters(-1);
  assert_true(merge(bpe, "a", "b", &error));
  EXPECT(bpe, "axb\0", AB);
  expect_ids(bpe, "xyz", 3, NULL, 0);
  expect_ids(bpe, "", 0, NULL, 0);
  byte_bpe_close(bpe);
  bpe = letters(42);
  EXPECT(bpe, "ax\xff", A, 42, 42);
  byte_bpe_close(bpe);
}

/* GPT-2's bytes_to_unicode: 188 bytes stand for themselves, the others follow from U+0100 on. */
static void every_byte_has_its_character(void **state) {
  (void)state;
  static const struct {
    unsigned char byte;
    const char *character;
  } known[] = {{0x00, "Ā"}, {'\n', "Ċ"}, {' ', "Ġ"},  {'!', "!"},  {'~', "~"},  {0x7f, "ġ"},
               {0x80, "Ģ"}, {0xa0, "ł"}, {0xa1, "¡"}, {0xad, "Ń"}, {0xae, "®"}, {0xff, "ÿ"}};
  struct error error = {0};
  struct byte_bpe *bpe = byte_bpe_open(-1, &error);
  assert_non_null(bpe);
  const int32_t count = sizeof known / sizeof *known;
  for (int32_t i = 0; i < count; i++) add(bpe, known[i].character, i);
  add(bpe, "\xad", 99);   /* a byte, not a character */
  add(bpe, "\u00ad", 98); /* stands for no byte */
  add(bpe, "\u0144", 97); /* the character after the last */
  for (int32_t i = 0; i < count; i++) expect_ids(bpe, (const char *)&known[i].byte, 1, &i, 1);
  byte_bpe_close(bpe);
}

static void merges_of_other_vocabularies_are_refused(void **state) {
  (void)state;
  struct error error = {0};
  struct byte_bpe *bpe = letters(-1);
  assert_false(merge(bpe, "a", "c", &error));
  assert_error(&error, ERROR_INPUT, "\"a c\" has a part or a result that is not in the vocabulary");
  assert_false(merge(bpe, "x", "b", &error));
  assert_false(byte_bpe_add(bpe, "ab", 2, 70, &error));
  assert_error(&error, ERROR_INPUT, "\"ab\" exists already");
  assert_int_equal(byte_bpe_find(bpe, "abc", 3), ABC);
  assert_int_equal(byte_bpe_find(bpe, "abcd", 4), -1);
  byte_bpe_close(bpe);
}

/* Pieces of 1, 2, 4 … 2^14 bytes, so that each merge makes room for the next. */
static void long_words_merge_as_short_ones_do(void **state) {
  (void)state;
  enum { DOUBLINGS = 14, BYTES = 200000 };
  struct error error = {0};
  struct byte_bpe *bpe = byte_bpe_open(-1, &error);
  assert_non_null(bpe);
  char *text = malloc(BYTES);
  assert_non_null(text);
  memset(text, 'x', BYTES);
  for (int32_t i = 0; i <= DOUBLINGS; i++) assert_true(byte_bpe_add(bpe, text, 1u << i, i, &error));
  for (int32_t i = 0; i < DOUBLINGS; i++)
    assert_true(byte_bpe_merge(bpe, text, 1u << i, text, 1u << i, &error));
  struct byte_merger merger = {0};
  struct id_list ids = {0};
  assert_true(byte_bpe_encode(bpe, &merger, text, BYTES, &ids, &error));
  size_t bytes = 0;
  for (size_t i = 0; i < ids.count; i++) {
    assert_true(i == 0 || ids.id[i] <= ids.id[i - 1]);
    bytes += 1u << ids.id[i];
  }
  assert_int_equal(bytes, BYTES);
  assert_int_equal(ids.count, (BYTES >> DOUBLINGS) + __builtin_popcount(BYTES & ((1 << DOUBLINGS) - 1)));
  id_list_free(&ids);
  byte_merger_free(&merger);
  free(text);
  byte_bpe_close(bpe);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_of_lowest_rank_merge_first),
      cmocka_unit_test(equal_pairs_merge_from_the_left),
      cmocka_unit_test(a_pair_that_is_listed_twice_has_its_last_rank),
      cmocka_unit_test(bytes_without_a_piece_are_unknown_or_nothing),
      cmocka_unit_test(every_byte_has_its_character),
      cmocka_unit_test(merges_of_other_vocabularies_are_refused),
      cmocka_unit_test(long_words_merge_as_short_ones_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
