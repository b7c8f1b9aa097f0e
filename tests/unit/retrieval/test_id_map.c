#include "host/retrieval/id_map.h"
#include "tests/unit/io/scratch.h"

#define MANY 5000 /* the table grows three times */

static struct id_map *map_of(const char *const *ids, int count) {
  struct error error;
  struct id_map *map = id_map_open(&error);
  assert_non_null(map);
  for (int i = 0; i < count; i++) {
    int64_t first;
    assert_ok(id_map_add(map, ids[i], strlen(ids[i]), &first, &error), &error);
  }
  return map;
}

static void ids_and_rows_find_each_other(void **state) {
  (void)state;
  struct error error;
  struct id_map *map = id_map_open(&error);
  char id[32];
  int64_t first;
  assert_non_null(map);
  for (int64_t row = 0; row < MANY; row++) {
    const int length = sprintf(id, "doc-%lld", (long long)(row * 7919 % MANY));
    assert_ok(id_map_add(map, id, (size_t)length, &first, &error), &error);
    assert_int_equal(first, -1);
  }
  assert_int_equal(id_map_count(map), MANY);
  for (int64_t row = 0; row < MANY; row++) {
    const int length = sprintf(id, "doc-%lld", (long long)(row * 7919 % MANY));
    assert_int_equal(id_map_find(map, id, (size_t)length), row);
    assert_string_equal(id_map_id(map, row), id);
  }
  assert_int_equal(id_map_find(map, "doc-5000", 8), -1);
  assert_int_equal(id_map_find(map, "doc-", 4), -1);
  assert_int_equal(id_map_find(map, "", 0), -1);
  id_map_close(map);
}

static void repeated_id_takes_a_row_and_tells_the_first(void **state) {
  (void)state;
  static const char *const ids[] = {"a", "b"};
  struct id_map *map = map_of(ids, 2);
  struct error error;
  int64_t first;
  assert_ok(id_map_add(map, "a", 1, &first, &error), &error);
  assert_int_equal(first, 0);
  assert_int_equal(id_map_count(map), 3);
  assert_int_equal(id_map_find(map, "a", 1), 0);
  assert_string_equal(id_map_id(map, 2), "a");
  id_map_close(map);
}

static void empty_ids_and_nuls_are_refused(void **state) {
  (void)state;
  struct error error;
  struct id_map *map = id_map_open(&error);
  int64_t first;
  assert_false(id_map_add(map, "", 0, &first, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_false(id_map_add(map, "a\0b", 3, &first, &error));
  assert_int_equal(id_map_count(map), 0);
  id_map_close(map);
}

/* The same order as Python's sorted(): by code points, which is also the order of the UTF-8 bytes. */
static void order_is_that_of_the_bytes(void **state) {
  (void)state;
  static const char *const ids[] = {"d2", "d10", "à", "d", "D1", "z", "d10"};
  static const uint32_t expected[] = {4, 2, 6, 1, 0, 5, 3};
  struct id_map *map = map_of(ids, 7);
  struct error error;
  uint32_t order[7];
  assert_ok(id_map_order(map, order, &error), &error);
  for (int i = 0; i < 7; i++) assert_int_equal(order[i], expected[i]);
  id_map_close(map);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ids_and_rows_find_each_other),
      cmocka_unit_test(repeated_id_takes_a_row_and_tells_the_first),
      cmocka_unit_test(empty_ids_and_nuls_are_refused),
      cmocka_unit_test(order_is_that_of_the_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
