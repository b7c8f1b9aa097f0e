/* Segmentation into pieces: the greatest sum, Hugging Face's choice if two sums are equal, unknown
 * characters, and vocabularies and words of any size. */
#include "host/model/unigram.h"

#include <math.h>

#include "tests/unit/model/folder.h"

enum { UNKNOWN = 3, MARK = 4, ONE = 5, TWO = 6, THREE = 7, LONG = 8 };

static void add(struct unigram *unigram, const char *piece, double score, int32_t id) {
  struct error error = {0};
  if (!unigram_add(unigram, piece, strlen(piece), score, id, &error)) fail_msg("%s", error.message);
}

/* Dots: two ways to write four dots have the same sum. */
static struct unigram *dots(void) {
  struct error error = {0};
  struct unigram *unigram = unigram_open(UNKNOWN, &error);
  assert_non_null(unigram);
  add(unigram, "\u2581", -4.0, MARK);
  add(unigram, ".", -4.0, ONE);
  add(unigram, "...", -6.0, THREE);
  return unigram;
}

static void expect_ids(const struct unigram *unigram, const char *text, size_t length, const int32_t *ids,
                       size_t count) {
  struct lattice lattice = {0};
  struct id_list list = {0};
  struct error error = {0};
  assert_true(unigram_encode(unigram, &lattice, text, length, &list, &error));
  assert_int_equal(list.count, count);
  assert_memory_equal(list.id, ids, count * sizeof *ids);
  lattice_free(&lattice);
  id_list_free(&list);
}

#define EXPECT(unigram, text, ...)                                             \
  do {                                                                         \
    const int32_t expected[] = {__VA_ARGS__};                                  \
    expect_ids(unigram, text, sizeof text - 1, expected, sizeof expected / 4); \
  } while (0)

static void greatest_sum_is_found(void **state) {
  (void)state;
  struct unigram *unigram = dots();
  EXPECT(unigram, "\u2581..", MARK, ONE, ONE);
  EXPECT(unigram, "\u2581...", MARK, THREE);
  EXPECT(unigram, "\u2581......", MARK, THREE, THREE);
  add(unigram, "......", -12.5, LONG);
  EXPECT(unigram, "\u2581......", MARK, THREE, THREE);
  unigram_close(unigram);
  unigram = dots();
  add(unigram, "......", -11.5, LONG);
  EXPECT(unigram, "\u2581......", MARK, LONG);
  unigram_close(unigram);
}

/* If two ways have the same sum, the way found first is the one whose last piece begins further left. */
static void equal_sums_take_the_way_found_first(void **state) {
  (void)state;
  struct unigram *unigram = dots();
  EXPECT(unigram, "\u2581....", MARK, ONE, THREE);
  EXPECT(unigram, "\u2581.....", MARK, ONE, ONE, THREE);
  EXPECT(unigram, "\u2581.......", MARK, ONE, THREE, THREE);
  unigram_close(unigram);
}

/* In single precision the two sums are equal, and the way found first would stay. */
static void sums_are_in_double_precision(void **state) {
  (void)state;
  struct error error = {0};
  struct unigram *unigram = unigram_open(UNKNOWN, &error);
  assert_non_null(unigram);
  add(unigram, "a", -1000.0, ONE);
  add(unigram, "aa", -2000.0 - 1e-9, TWO);
  EXPECT(unigram, "aa", ONE, ONE);
  unigram_close(unigram);
}

static void unknown_characters_are_one_id_a_run(void **state) {
  (void)state;
  struct unigram *unigram = dots();
  EXPECT(unigram, "\u2581xyz.é字😀.", MARK, UNKNOWN, ONE, UNKNOWN, ONE);
  EXPECT(unigram, "\u2581.\0.", MARK, ONE, UNKNOWN, ONE);
  add(unigram, "xyq", -4.0, TWO); /* begins like the unknown characters */
  EXPECT(unigram, "\u2581xyz.xyq", MARK, UNKNOWN, ONE, TWO);
  add(unigram, "字xx", -90.0, LONG); /* very low, but an unknown character is 10 lower */
  EXPECT(unigram, "\u2581字xx字", MARK, LONG, UNKNOWN);
  unigram_close(unigram);
}

static void pieces_that_cannot_be_are_refused(void **state) {
  (void)state;
  struct unigram *unigram = dots();
  struct error error = {0};
  assert_false(unigram_add(unigram, "", 0, -1.0, 9, &error));
  assert_error(&error, ERROR_INPUT, "empty");
  assert_false(unigram_add(unigram, "...", 3, -1.0, 9, &error));
  assert_error(&error, ERROR_INPUT, "\"...\" is there twice");
  assert_false(unigram_add(unigram, "x", 1, (double)NAN, 9, &error));
  assert_error(&error, ERROR_INPUT, "not a finite number");
  unigram_close(unigram);
}

/* There are so many pieces that every table grows several times, and some nodes have many children. */
static void every_piece_of_a_large_vocabulary_is_found(void **state) {
  (void)state;
  struct error error = {0};
  struct unigram *unigram = unigram_open(UNKNOWN, &error);
  assert_non_null(unigram);
  char piece[24];
  for (int32_t i = 0; i < 30000; i++) {
    const int size = snprintf(piece, sizeof piece, "%c%xz%dq", (char)(128 + i % 120), i * 7919, i);
    assert_true(unigram_add(unigram, piece, (size_t)size, -1.0, 10 + i, &error));
  }
  for (int32_t i = 0; i < 30000; i++) {
    const int size = snprintf(piece, sizeof piece, "%c%xz%dq", (char)(128 + i % 120), i * 7919, i);
    const int32_t id = 10 + i;
    expect_ids(unigram, piece, (size_t)size, &id, 1);
  }
  unigram_close(unigram);
}

/* The scratch memory fits the longest word so far, and later words use the same memory. */
static void long_words_and_short_ones_share_memory(void **state) {
  (void)state;
  enum { LENGTH = 100000 };
  struct unigram *unigram = dots();
  struct lattice lattice = {0};
  struct id_list ids = {0};
  struct error error = {0};
  char *text = malloc(LENGTH);
  assert_non_null(text);
  memset(text, '.', LENGTH);
  assert_true(unigram_encode(unigram, &lattice, text, LENGTH, &ids, &error));
  assert_int_equal(ids.count, LENGTH / 3 + 1);
  assert_int_equal(ids.id[0], ONE);
  const int32_t *before = ids.id;
  ids.count = 0;
  assert_true(unigram_encode(unigram, &lattice, text, 4, &ids, &error));
  assert_true(unigram_encode(unigram, &lattice, text, 3, &ids, &error)); /* appended */
  assert_ptr_equal(ids.id, before);
  assert_int_equal(ids.count, 3);
  assert_int_equal(ids.id[2], THREE);
  lattice_free(&lattice);
  id_list_free(&ids);
  unigram_close(unigram);
  free(text);
}

/* Bytes that are not UTF-8, in an allocation with exactly their size. */
static void cut_characters_are_read_within_bounds(void **state) {
  (void)state;
  static const char cut[] = "..\xe5\xad";
  struct unigram *unigram = dots();
  struct error error = {0};
  add(unigram, "\xe5", -1.0, LONG);
  for (size_t length = 1; length < sizeof cut; length++) {
    struct lattice lattice = {0};
    struct id_list ids = {0};
    char *text = malloc(length);
    assert_non_null(text);
    memcpy(text, cut, length);
    assert_true(unigram_encode(unigram, &lattice, text, length, &ids, &error));
    assert_in_range(ids.count, 1, length);
    lattice_free(&lattice);
    id_list_free(&ids);
    free(text);
  }
  unigram_close(unigram);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(greatest_sum_is_found),
      cmocka_unit_test(equal_sums_take_the_way_found_first),
      cmocka_unit_test(sums_are_in_double_precision),
      cmocka_unit_test(unknown_characters_are_one_id_a_run),
      cmocka_unit_test(pieces_that_cannot_be_are_refused),
      cmocka_unit_test(every_piece_of_a_large_vocabulary_is_found),
      cmocka_unit_test(long_words_and_short_ones_share_memory),
      cmocka_unit_test(cut_characters_are_read_within_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
