/* Words: which characters end a word, clusters that reach past a word's end, and texts of any length in
 * bounded time. */
#include "host/model/words.h"

#include "host/model/normaliser.h"
#include "tests/unit/model/tiny_tokenizer.h"

struct fixture {
  unsigned char bytes[TINY_MAP_BYTES];
  struct charsmap map;
  struct character_set characters;
};

static int fixture_open(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  struct error error;
  assert_non_null(fixture);
  tiny_map(fixture->bytes);
  assert_true(charsmap_open(fixture->bytes, sizeof fixture->bytes, &fixture->map, &error));
  character_set_fill(&fixture->characters, &fixture->map, false);
  *state = fixture;
  return 0;
}

static int fixture_close(void **state) {
  free(*state);
  return 0;
}

static unsigned class_in(const struct fixture *fixture, uint32_t code_point) {
  return character_set_class(&fixture->characters, code_point);
}

static void borders_are_what_the_map_turns_into_a_space(void **state) {
  const struct fixture *fixture = *state;
  assert_int_equal(class_in(fixture, '\t'), CHARACTER_BORDER);
  assert_int_equal(class_in(fixture, ' '), CHARACTER_BORDER);
  assert_int_equal(class_in(fixture, 0x85), CHARACTER_BORDER);
  assert_int_equal(class_in(fixture, 0x3000), CHARACTER_BORDER);
  assert_int_equal(class_in(fixture, '\v'),
                   CHARACTER_PLAIN); /* deleted, so the letters around it belong together */
  assert_int_equal(class_in(fixture, 'Q'), CHARACTER_PLAIN); /* replaced by letters */
  assert_int_equal(class_in(fixture, 0), CHARACTER_PLAIN);
  assert_int_equal(class_in(fixture, 0x10ffff), CHARACTER_PLAIN);
}

static void white_space_ends_words_without_a_map(void **state) {
  (void)state;
  struct character_set *set = malloc(sizeof *set);
  struct charsmap map;
  struct error error;
  assert_non_null(set);
  assert_true(charsmap_open(NULL, 0, &map, &error));
  for (int only_spaces = 0; only_spaces < 2; only_spaces++) {
    int count = 0;
    character_set_fill(set, &map, only_spaces);
    for (uint32_t c = 0; c < CODE_POINTS; c++) count += character_set_class(set, c) == CHARACTER_BORDER;
    assert_int_equal(count, only_spaces ? 1 : 25); /* 25 characters have Unicode's White_Space */
  }
  free(set);
}

static void characters_that_may_join_are_known(void **state) {
  const struct fixture *fixture = *state;
  static const uint32_t join[] = {0x301,  0x341,  0x64e,  0x93f,   0xe34,  0x1100,
                                  0x1161, 0x11a8, 0xfe0f, 0x1f1e6, 0x1f3fb};
  static const uint32_t alone[] = {'a', '\r', '\n', 0xad, 0xe9, 0xac00, 0xac01, 0x1f600, 0x4e00, 0x905};
  for (size_t i = 0; i < sizeof join / sizeof *join; i++)
    assert_int_equal(class_in(fixture, join[i]), CHARACTER_JOINS);
  for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
    assert_in_range(class_in(fixture, alone[i]), CHARACTER_PLAIN, CHARACTER_BORDER);
  assert_int_equal(class_in(fixture, 0x200d), CHARACTER_JOINS); /* although the map makes it a space */
  assert_int_equal(class_in(fixture, 0x600), CHARACTER_PREPENDS);
}

/* Returns a text's words, normalised, one after another. */
static struct word_text words_of(const struct fixture *fixture, const char *text, size_t length, int *count) {
  struct word_reader reader = {.characters = &fixture->characters, .at = text, .end = text + length};
  struct word_text all = {0}, one = {0};
  struct word word;
  struct error error;
  *count = 0;
  while (word_next(&reader, &word)) {
    assert_in_range(word.length, 1, WORD_BYTES_MAX + 4);
    assert_true(word_normalise(&fixture->map, &fixture->characters, &word, &one, &error));
    all.bytes = realloc(all.bytes, all.length + one.length + 1);
    assert_non_null(all.bytes);
    if (one.length) memcpy(all.bytes + all.length, one.bytes, one.length);
    all.length += one.length;
    ++*count;
  }
  word_text_free(&one);
  return all;
}

static void expect_length(const struct fixture *fixture, const char *text, size_t length,
                          const char *expected) {
  int count;
  char *exact = malloc(length ? length : 1); /* shows reads past the end */
  assert_non_null(exact);
  memcpy(exact, text, length);
  struct word_text found = words_of(fixture, exact, length, &count);
  if (found.length != strlen(expected) || memcmp(found.bytes ? found.bytes : "", expected, found.length) != 0)
    fail_msg("\"%.*s\" gives \"%.*s\", and was to give \"%s\"", (int)length, text, (int)found.length,
             found.bytes ? found.bytes : "", expected);
  word_text_free(&found);
  free(exact);
}

#define EXPECT(text, expected) expect_length(*state, text, sizeof text - 1, expected)

static void words_end_at_borders(void **state) {
  EXPECT("a\tb c", "▁a▁b▁c");
  EXPECT(" \t a \t", "▁a");
  EXPECT("", "");
  EXPECT(" \t ", "");
  EXPECT("a\vb Qc", "▁ab▁abc");
  EXPECT("a\u3000b\u00a0", "▁a▁b");
  EXPECT("a\r\nb\r", "▁a▁b");
  EXPECT("a\xc2\x85\u0301b", "▁a▁\u0301b"); /* the map leaves it alone */
}

/* If a short cluster begins with a key, the whole cluster is replaced, including the mark. */
static void shortest_key_replaces_a_whole_cluster(void **state) {
  EXPECT("Q\u0301c", "▁abc");
  EXPECT("\u00a0\u0301a", "▁a");
  EXPECT("a\u00a0\u0301b", "▁a▁b");
  EXPECT("ae\u0301b", "▁acb");
  EXPECT("e\u0302\u0301", "▁e\u0302\u0301"); /* no key begins it, and a mark alone is not a key */
}

static void longer_clusters_go_character_by_character(void **state) {
  EXPECT("Q\u0301\u0301c", "▁abc");                         /* 5 bytes: still short */
  EXPECT("Q\u0301\u0301\u0301c", "▁ab\u0301\u0301\u0301c"); /* 7 bytes */
  EXPECT("e\u0301\u0302\u0303", "▁e\u0301\u0302\u0303");    /* its first key has two characters */
  EXPECT("\u1112\u1161Q", "▁\u1112\u1161ab");
}

static void spaces_keep_their_marks_if_no_key_begins_them(void **state) {
  EXPECT("a \u0301b", "▁a▁\u0301b");
  EXPECT("a \u0341\u0301b", "▁a▁b\u0301b"); /* alone, the word would begin with a cluster of 4 bytes */
  EXPECT("a \u0341 \u0341\u0301", "▁a▁b▁b\u0301");
}

static void borders_inside_clusters_end_words(void **state) {
  EXPECT("a\u200db", "▁a▁b");
  EXPECT("Q\u200dc", "▁abc"); /* 4 bytes */
  EXPECT("x\u0341\u0301\u200d\u0301\u200dy", "▁xb\u0301▁\u0301▁y");
}

static void words_begin_and_end_with_clusters(void **state) {
  const struct fixture *fixture = *state;
  static const char text[] = "ab e\u0301 a \u0341\u0301b x\u0301\u200d\u0301 \u0600 c";
  int count;
  struct word_text found = words_of(fixture, text, sizeof text - 1, &count);
  assert_int_equal(count, 5); /* no cut at the space before a mark, nor at the space after U+0600 */
  word_text_free(&found);
}

static void cluster_of_a_megabyte_is_read_in_pieces(void **state) {
  const struct fixture *fixture = *state;
  const size_t marks = 1 << 19, length = 1 + 2 * marks;
  char *text = malloc(length);
  int count;
  assert_non_null(text);
  text[0] = 'Q';
  for (size_t i = 0; i < marks; i++) memcpy(text + 1 + 2 * i, "\u0341", 2);
  struct word_text found = words_of(fixture, text, length, &count);
  assert_int_equal(count, 17);
  /* ab, a b for each mark, and each word's own mark: no cut turned a piece into a short cluster. */
  assert_int_equal(found.length, 2 + marks + 17 * WORD_MARK_BYTES);
  word_text_free(&found);
  free(text);
}

/* Text must be UTF-8 by contract, but other bytes are read inside their bounds, each byte once. */
static void word_that_is_cut_is_no_space(void **state) {
  const struct fixture *fixture = *state;
  const size_t length = WORD_BYTES_MAX + 2 * (WORD_MARK_BYTES + 2);
  char *text = malloc(length + 1);
  assert_non_null(text);
  memset(text, 'a', WORD_BYTES_MAX);
  strcpy(text + WORD_BYTES_MAX, WORD_MARK "b " WORD_MARK "b ");
  struct word_reader reader = {
      .characters = &fixture->characters, .at = text, .end = text + length, .marks = true};
  struct word word;
  for (int i = 0; i < 3; i++) {
    assert_true(word_next(&reader, &word));
    assert_int_equal(word.spaced, i == 2);
  }
  free(text);
}

static void bytes_that_are_no_text_are_read_within_bounds(void **state) {
  const struct fixture *fixture = *state;
  static const char parts[][4] = {"a",    "\xe5\xad", "\xf0\x9f\x98", "\x81", "\xcc",
                                  "\xff", "\xcd\x81", "\xe2\x80\x8d", " ",    "e",
                                  "Q",    "\xcc\x81"};
  uint32_t seed = 1;
  for (int i = 0; i < 20000; i++) {
    char *text = malloc(40);
    size_t length = 0;
    int count;
    assert_non_null(text);
    for (int k = i % 10; k > 0; k--) {
      seed = seed * 1664525 + 1013904223;
      const char *part = parts[(seed >> 8) % (sizeof parts / sizeof *parts)];
      memcpy(text + length, part, strlen(part));
      length += strlen(part);
    }
    char *exact = realloc(text, length ? length : 1);
    assert_non_null(exact);
    struct word_text found = words_of(fixture, exact, length, &count);
    assert_in_range(count, 0, length);
    word_text_free(&found);
    free(exact);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(borders_are_what_the_map_turns_into_a_space),
      cmocka_unit_test(white_space_ends_words_without_a_map),
      cmocka_unit_test(characters_that_may_join_are_known),
      cmocka_unit_test(words_end_at_borders),
      cmocka_unit_test(shortest_key_replaces_a_whole_cluster),
      cmocka_unit_test(longer_clusters_go_character_by_character),
      cmocka_unit_test(spaces_keep_their_marks_if_no_key_begins_them),
      cmocka_unit_test(borders_inside_clusters_end_words),
      cmocka_unit_test(words_begin_and_end_with_clusters),
      cmocka_unit_test(cluster_of_a_megabyte_is_read_in_pieces),
      cmocka_unit_test(word_that_is_cut_is_no_space),
      cmocka_unit_test(bytes_that_are_no_text_are_read_within_bounds),
  };
  return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
