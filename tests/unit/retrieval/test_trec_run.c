#include <math.h>

#include "host/retrieval/trec_run.h"
#include "tests/unit/io/scratch.h"

static struct id_map *map_of(const char *first_id, const char *second_id, const char *third_id) {
  const char *const ids[] = {first_id, second_id, third_id};
  struct error error;
  struct id_map *map = id_map_open(&error);
  assert_non_null(map);
  for (int i = 0; i < 3; i++) {
    int64_t first;
    assert_ok(id_map_add(map, ids[i], strlen(ids[i]), &first, &error), &error);
  }
  return map;
}

/* Asserts the lines for query "q" and tag "t". */
static void assert_lines(const struct id_map *map, const struct hit *hits, int32_t count, const char *lines) {
  struct text text = {0};
  trec_run_append(&text, "q", hits, count, map, "t");
  text_append(&text, "", 1);
  assert_string_equal(text.bytes, lines);
  text_free(&text);
}

static void lines_are_in_trec_form(void **state) {
  (void)state;
  struct id_map *map = map_of("a", "b", "c");
  struct text text = {0};
  const struct hit hits[] = {{2, 0.5f}, {0, 0.25f}, {1, -1e-3f}};
  trec_run_append(&text, "q1", hits, 3, map, "nina-w64");
  trec_run_append(&text, "q2", hits, 0, map, "nina-w64");
  text_append(&text, "", 1);
  assert_string_equal(text.bytes,
                      "q1 Q0 c 1 0.5 nina-w64\n"
                      "q1 Q0 a 2 0.25 nina-w64\n"
                      "q1 Q0 b 3 -0.00100000005 nina-w64\n");
  text_free(&text);
  id_map_close(map);
}

/* trec_eval sorts by score, then by its own id order: so the scores themselves must hold our order. */
static void scores_fall_strictly_through_ties(void **state) {
  (void)state;
  struct id_map *map = map_of("a", "b", "c");
  struct text text = {0};
  const float tied = 0.7f, next = nextafterf(tied, -INFINITY);
  const struct hit hits[] = {{0, tied}, {1, tied}, {2, next}};
  trec_run_append(&text, "q", hits, 3, map, "t");
  text_append(&text, "", 1);
  float last = INFINITY;
  char *line = text.bytes;
  for (int i = 0; i < 3; i++) {
    float score;
    assert_int_equal(sscanf(line, "q Q0 %*s %*d %f t", &score), 1);
    assert_true(score < last);
    assert_true(fabsf(score - tied) < 3e-7f);
    last = score;
    line = strchr(line, '\n') + 1;
  }
  text_free(&text);
  id_map_close(map);
}

static void white_space_in_ids_becomes_an_underscore(void **state) {
  (void)state;
  struct id_map *map = map_of("acta 12", "b", "\tc\n");
  const struct hit hits[] = {{0, 3}, {1, 2}, {2, 1}};
  assert_lines(map, hits, 3, "q Q0 acta_12 1 3 t\nq Q0 b 2 2 t\nq Q0 _c_ 3 1 t\n");
  id_map_close(map);
}

static void ids_with_white_space_are_counted_once_each(void **state) {
  (void)state;
  struct error error;
  struct id_map *passages = map_of("acta 12", "b", "\tc\n"), *queries = map_of("a", "b", " c");
  int64_t spaced = 0;
  assert_ok(trec_run_check(passages, "passages", &spaced, &error), &error);
  assert_int_equal(spaced, 2);
  assert_ok(trec_run_check(queries, "queries", &spaced, &error), &error);
  assert_int_equal(spaced, 3);
  id_map_close(queries);
  id_map_close(passages);
}

/* Python: [hex(c) for c in range(0x110000) if not chr(c).split()] */
static const char *const spaces[] = {
    "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1c",         "\x1d",         "\x1e",         "\x1f",         " ",
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
    "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
    "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

static void white_space_of_python_becomes_an_underscore(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
    char id[16];
    int64_t spaced = 0;
    struct error error = {0};
    snprintf(id, sizeof id, "é%s7", spaces[i]);
    struct id_map *map = map_of(id, "b", "é_7");
    assert_lines(map, &(struct hit){0, 3}, 1, "q Q0 é_7 1 3 t\n");
    assert_false(trec_run_check(map, "passages", &spaced, &error));
    id_map_close(map);
  }
}

/* Such as U+200B ZERO WIDTH SPACE: neither C nor Python splits there. The last id ends within a character. */
static void other_characters_stay_as_they_are(void **state) {
  (void)state;
  struct id_map *map = map_of("a\xe2\x80\x8b\xe1\xa0\x8e\xef\xbb\xbf", "\xe2\x81\xa0\x01\x7f", "c\xe2\x80");
  const struct hit hits[] = {{0, 3}, {1, 2}, {2, 1}};
  assert_lines(map, hits, 3,
               "q Q0 a\xe2\x80\x8b\xe1\xa0\x8e\xef\xbb\xbf 1 3 t\nq Q0 \xe2\x81\xa0\x01\x7f 2 2 t\nq "
               "Q0 c\xe2\x80 3 1 t\n");
  id_map_close(map);
}

static void ids_that_would_become_one_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *id[3];
    bool fit;
  } cases[] = {{{"a b", "c", "a c"}, true},   {{"a_b", "c", "a b"}, false}, {{"a b", "c", "a_b"}, false},
               {{"x", "a b", "a\tb"}, false}, {{"a_b", "a_c", "a"}, true},  {{" ", "_ ", "___"}, true},
               {{" _", "_ ", "__x"}, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t spaced = 0;
    struct error error = {0};
    struct id_map *map = map_of(cases[i].id[0], cases[i].id[1], cases[i].id[2]);
    assert_int_equal(trec_run_check(map, "passages", &spaced, &error), cases[i].fit);
    if (!cases[i].fit) assert_int_equal(error.code, ERROR_INPUT);
    id_map_close(map);
  }
  int64_t spaced = 0;
  struct error error;
  struct id_map *map = map_of("x", "a b", "a\tb");
  assert_false(trec_run_check(map, "passages", &spaced, &error));
  assert_says(&error, "the passages \"a b\" and \"a\tb\" would have one id in run.wW.trec");
  id_map_close(map);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_are_in_trec_form),
      cmocka_unit_test(scores_fall_strictly_through_ties),
      cmocka_unit_test(white_space_in_ids_becomes_an_underscore),
      cmocka_unit_test(ids_with_white_space_are_counted_once_each),
      cmocka_unit_test(white_space_of_python_becomes_an_underscore),
      cmocka_unit_test(other_characters_stay_as_they_are),
      cmocka_unit_test(ids_that_would_become_one_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
