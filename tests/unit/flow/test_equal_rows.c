#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above it */
#include <cmocka.h>

#include "host/flow/equal_rows.h"
#include "host/flow/pack.h"
#include "io/run/row_hash.h"

#define WIDTH 3

/* Adds a row of `tokens` times the id `id`. If `same_hash`, its hash says nothing. */
static void row_add(struct flow_block *work, int32_t tokens, int32_t id, bool same_hash) {
  const int64_t i = work->rows++;
  assert_true(flow_block_reserve(&work->row, &work->row_capacity, i + 1, sizeof *work->row));
  assert_true(flow_block_reserve(&work->hash, &work->hash_capacity, i + 1, ROW_HASH_BYTES));
  assert_true(
      flow_block_reserve(&work->ids, &work->token_capacity, work->tokens + tokens, sizeof *work->ids));
  work->row[i] = (struct flow_row){.first_token = work->tokens, .tokens = tokens};
  for (int32_t j = 0; j < tokens; j++) work->ids[work->tokens + j] = id;
  row_hash(work->ids + work->tokens, same_hash ? 0 : tokens, 0, work->hash + i * ROW_HASH_BYTES);
  work->tokens += tokens;
}

static void check_marks(struct flow_block *work, const int32_t *first, int64_t rows) {
  assert_true(equal_rows_find(work));
  for (int64_t i = 0; i < rows; i++) {
    assert_int_equal(work->row[i].source, first[i] == i ? ROW_ENCODED : ROW_EQUAL);
    if (first[i] != i) assert_int_equal(work->row[i].equal, first[i]);
  }
}

static void row_with_the_tokens_of_an_earlier_one_is_equal_to_it(void **state) {
  (void)state;
  for (int same_hash = 0; same_hash < 2; same_hash++) { /* equal hashes alone make no equal rows */
    struct flow_block work = {0};
    const int32_t rows[][2] = {{4, 7}, {5, 7}, {4, 7}, {4, 8}, {5, 7}, {4, 7}, {1, 8}};
    const int32_t first[] = {0, 1, 0, 3, 1, 0, 6};
    for (int i = 0; i < 7; i++) row_add(&work, rows[i][0], rows[i][1], same_hash);
    check_marks(&work, first, 7);
    flow_block_free(&work);
  }
}

static void many_rows_find_their_first(void **state) {
  (void)state;
  struct flow_block work = {0};
  int32_t first[5000];
  for (int32_t i = 0; i < 5000; i++) {
    row_add(&work, 2, i % 1237, false);
    first[i] = i % 1237;
  }
  check_marks(&work, first, 5000);
  flow_block_free(&work);
}

static void equal_rows_are_packed_once_and_copied(void **state) {
  (void)state;
  static const int32_t widths[] = {WIDTH, 1};
  struct flow_block work = {0};
  const int32_t kind[] = {1, 2, 1, 3, 3, 1};
  for (int i = 0; i < 6; i++) row_add(&work, kind[i], kind[i], false);
  assert_true(equal_rows_find(&work) && pack_batches(&work, 16));
  const int32_t order[] = {3, 1, 0};
  assert_int_equal(work.packed_rows, 3);
  assert_int_equal(work.packed_tokens, 6);
  assert_memory_equal(work.order, order, sizeof order);
  assert_true(flow_block_reserve_vectors(&work, widths, 2));
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < WIDTH; j++) {
      const bool encoded = work.row[i].source == ROW_ENCODED;
      work.vectors[0][i * WIDTH + j] = (uint16_t)(encoded ? 10 * kind[i] + j : 0);
      work.vectors[1][i] = (uint16_t)(encoded ? 100 * kind[i] : 0);
    }
  equal_rows_copy(&work, widths, 2);
  for (int i = 0; i < 6; i++) {
    for (int j = 0; j < WIDTH; j++) assert_int_equal(work.vectors[0][i * WIDTH + j], 10 * kind[i] + j);
    assert_int_equal(work.vectors[1][i], 100 * kind[i]);
  }
  flow_block_free(&work);
}

static void block_without_rows_has_no_equal_rows(void **state) {
  (void)state;
  struct flow_block work = {0};
  assert_true(equal_rows_find(&work));
  equal_rows_copy(&work, (int32_t[]){WIDTH}, 1);
  flow_block_free(&work);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(row_with_the_tokens_of_an_earlier_one_is_equal_to_it),
      cmocka_unit_test(many_rows_find_their_first),
      cmocka_unit_test(equal_rows_are_packed_once_and_copied),
      cmocka_unit_test(block_without_rows_has_no_equal_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
