#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/flow/pack.h"

/* Makes a block whose row i has lengths[i] tokens; token j in row i is 1000 · i + j. */
static void work_fill(struct flow_block *work, const int32_t *lengths, int64_t rows) {
  work->rows = rows;
  assert_true(flow_block_reserve(&work->row, &work->row_capacity, rows, sizeof *work->row));
  for (int64_t i = 0; i < rows; i++) {
    work->row[i] = (struct flow_row){.first_token = work->tokens, .tokens = lengths[i]};
    assert_true(
        flow_block_reserve(&work->ids, &work->token_capacity, work->tokens + lengths[i], sizeof *work->ids));
    for (int32_t j = 0; j < lengths[i]; j++) work->ids[work->tokens + j] = (int32_t)(1000 * i + j);
    work->tokens += lengths[i];
  }
}

/* Checks that every row is in exactly one batch, complete, at the offsets that the batch gives. If a batch
 * holds several rows, they have at most `batch_tokens` tokens together. */
static void check_batches(const struct flow_block *work, int32_t batch_tokens) {
  bool *seen = calloc((size_t)work->rows + 1, sizeof *seen);
  int64_t rows = 0;
  for (int32_t b = 0; b < work->batch_count; b++) {
    const struct flow_batch *batch = &work->batch[b];
    const int32_t *offsets = work->offsets + batch->first_offset;
    const int32_t *ids = work->packed + batch->first_token;
    assert_ptr_equal(batch->work, work);
    assert_int_equal(offsets[0], 0);
    assert_true(batch->sequences > 0);
    assert_true(offsets[batch->sequences] <= batch_tokens || batch->sequences == 1);
    for (int32_t i = 0; i < batch->sequences; i++, rows++) {
      const int32_t number = work->order[batch->first_row + i];
      const struct flow_row *row = &work->row[number];
      assert_false(seen[number]);
      seen[number] = true;
      assert_int_equal(offsets[i + 1] - offsets[i], row->tokens);
      assert_memory_equal(ids + offsets[i], work->ids + row->first_token, (size_t)row->tokens * sizeof *ids);
    }
  }
  assert_int_equal(rows, work->rows);
  free(seen);
}

static void batches_hold_every_row_once(void **state) {
  (void)state;
  uint32_t random = 1;
  for (int round = 0; round < 50; round++) {
    struct flow_block work = {0};
    int32_t lengths[300];
    const int64_t rows = 1 + round * 6 % 300;
    for (int64_t i = 0; i < rows; i++) {
      random = random * 1664525u + 1013904223u;
      lengths[i] = 2 + (int32_t)(random >> 16) % 127;
    }
    work_fill(&work, lengths, rows);
    assert_true(pack_batches(&work, 128));
    check_batches(&work, 128);
    flow_block_free(&work);
  }
}

static void rows_come_longest_first_and_ties_in_line_order(void **state) {
  (void)state;
  const int32_t lengths[] = {3, 5, 3, 9, 5, 2};
  const int32_t expected[] = {3, 1, 4, 0, 2, 5};
  struct flow_block work = {0};
  work_fill(&work, lengths, 6);
  assert_true(pack_batches(&work, 16));
  assert_memory_equal(work.order, expected, sizeof expected);
  flow_block_free(&work);
}

static void batch_is_filled_to_its_limit(void **state) {
  (void)state;
  const int32_t lengths[] = {8, 8, 8, 8, 1};
  struct flow_block work = {0};
  work_fill(&work, lengths, 5);
  assert_true(pack_batches(&work, 16));
  assert_int_equal(work.batch_count, 3);
  assert_int_equal(work.batch[0].sequences, 2);
  assert_int_equal(work.batch[1].sequences, 2);
  assert_int_equal(work.batch[2].sequences, 1);
  flow_block_free(&work);
}

static void row_that_is_longer_than_a_batch_is_one_by_itself(void **state) {
  (void)state;
  const int32_t lengths[] = {3, 40, 16, 4, 17};
  struct flow_block work = {0};
  work_fill(&work, lengths, 5);
  assert_true(pack_batches(&work, 16));
  check_batches(&work, 16);
  assert_int_equal(work.batch_count, 4);
  assert_int_equal(work.batch[3].sequences, 2);
  flow_block_free(&work);
}

static void block_without_rows_has_no_batch(void **state) {
  (void)state;
  struct flow_block work = {0};
  assert_true(pack_batches(&work, 16));
  assert_int_equal(work.batch_count, 0);
  flow_block_free(&work);
}

static void work_is_as_new_after_a_clear(void **state) {
  (void)state;
  const int32_t lengths[] = {2, 4};
  struct flow_block work = {0};
  work_fill(&work, lengths, 2);
  assert_true(pack_batches(&work, 16));
  flow_block_clear(&work, 1 << 20, 0);
  assert_int_equal(work.rows + work.tokens + work.batch_count, 0);
  assert_non_null(work.ids);
  flow_block_clear(&work, 0, 0);
  assert_null(work.ids);
  work_fill(&work, lengths, 2);
  assert_true(pack_batches(&work, 16));
  check_batches(&work, 16);
  flow_block_free(&work);
}

static void vectors_of_a_huge_document_do_not_stay(void **state) {
  (void)state;
  static const int32_t widths[] = {8, 4};
  const int64_t keep = flow_block_keep_rows(&(struct block_limits){100, 1 << 20, 1 << 20},
                                            &(struct chunk_limits){.tokens = 64, .overlap = 32});
  struct flow_block work = {0};
  assert_in_range(keep, 100 + (1 << 20) / (32 * CHUNK_BYTES_A_TOKEN), 20000);
  for (int more = 0; more < 2; more++) {
    work.rows = keep + more;
    assert_true(flow_block_reserve_vectors(&work, widths, 2));
    flow_block_clear(&work, 1 << 20, keep);
    for (int w = 0; w < 2; w++) assert_int_equal(work.vectors[w] == NULL, more);
    assert_int_equal(work.vector_capacity, more ? 0 : keep);
  }
  flow_block_free(&work);
}

static void lines_that_cannot_be_so_many_are_not_expected(void **state) {
  (void)state;
  const struct block_limits any_lines = {INT64_MAX, 1 << 20, 1 << 20};
  assert_true(flow_block_keep_rows(&any_lines, &(struct chunk_limits){0}) < 1 << 20);
  assert_int_equal(flow_block_rows_expected(&(struct chunk_limits){0}, 7, 1 << 20), 7);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(batches_hold_every_row_once),
      cmocka_unit_test(rows_come_longest_first_and_ties_in_line_order),
      cmocka_unit_test(batch_is_filled_to_its_limit),
      cmocka_unit_test(row_that_is_longer_than_a_batch_is_one_by_itself),
      cmocka_unit_test(block_without_rows_has_no_batch),
      cmocka_unit_test(work_is_as_new_after_a_clear),
      cmocka_unit_test(vectors_of_a_huge_document_do_not_stay),
      cmocka_unit_test(lines_that_cannot_be_so_many_are_not_expected),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
