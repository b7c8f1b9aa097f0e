#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h needs the four headers above */
#include <cmocka.h>

#include "host/job/input_sample.h"
#include "host/job/row_sample.h"
#include "host/job/tally.h"

static void row_sample_does_not_depend_on_the_order_of_rows(void **state) {
  (void)state;
  enum { ROWS = 500 };
  struct row_sample forth = {.budget = 300}, back = {.budget = 300};
  struct error error;
  int32_t ids[16] = {0};
  for (int32_t i = 0; i < ROWS; i++) {
    const int32_t j = ROWS - 1 - i;
    ids[0] = i;
    assert_true(row_sample_add(&forth, i % 3, i, ids, 1 + i % 16, &error));
    ids[0] = j;
    assert_true(row_sample_add(&back, j % 3, j, ids, 1 + j % 16, &error));
  }
  row_sample_trim(&forth);
  row_sample_trim(&back);
  assert_true(forth.tokens >= 300 && forth.tokens < 300 + 16);
  assert_int_equal(forth.count, back.count);
  for (int64_t i = 0; i < forth.count; i++) {
    assert_int_equal(forth.row[i].ids[0], back.row[i].ids[0]);
    assert_int_equal(forth.row[i].offset, forth.row[i].ids[0]);
  }
  row_sample_free(&forth);
  row_sample_free(&back);
}

static void add_reject(struct flow_block *work, int64_t line, const char *reason) {
  char record[256];
  snprintf(record, sizeof record,
           "{\"shard\":0,\"path\":\"a\",\"line\":%lld,\"offset\":%lld,\"reason\":\"%s\"}\n", (long long)line,
           (long long)(100 * line), reason);
  text_append_string(&work->reject_lines, record);
  work->rejected++;
}

static void reasons_that_differ_in_numbers_alone_count_as_one(void **state) {
  (void)state;
  struct tally tally;
  struct error error;
  struct flow_block early = {.block.border.first_line = 1}, late = {.block.border.first_line = 50};
  add_reject(&late, 60, "malformed JSON at byte 7: expected ','");
  add_reject(&late, 61, "malformed JSON at byte 1234: expected ','");
  add_reject(&late, 62, "not a JSON object");
  add_reject(&early, 3, "malformed JSON at byte 99: expected ','");
  add_reject(&early, 4, "malformed JSON at byte 9: expected ':'");
  assert_true(tally_open(&tally, 8, &error));
  assert_true(tally_add(&tally, &late, 1, &error));
  assert_true(tally_add(&tally, &early, 1, &error));
  tally_sort_reasons(&tally);
  assert_int_equal(tally.reasons, 3);
  assert_int_equal(tally.rejected, 5);
  assert_int_equal(tally.reason[0].count, 3);
  assert_string_equal(tally.reason[0].text, "malformed JSON at byte 99: expected ','");
  assert_int_equal(tally.reason[0].line, 3);
  assert_string_equal(tally.reason[1].text, "malformed JSON at byte 9: expected ':'");
  assert_string_equal(tally.reason[2].text, "not a JSON object");
  tally_close(&tally);
  flow_block_free(&early);
  flow_block_free(&late);
}

static void reasons_beyond_the_table_are_still_counted(void **state) {
  (void)state;
  struct tally tally;
  struct error error;
  struct flow_block work = {.block.border.first_line = 1};
  for (int i = 0; i < TALLY_REASONS + 5; i++) {
    char reason[64] = "";
    memset(reason, 'x', (size_t)i + 1);
    add_reject(&work, i + 1, reason);
  }
  assert_true(tally_open(&tally, 8, &error));
  assert_true(tally_add(&tally, &work, 1, &error));
  assert_int_equal(tally.reasons, TALLY_REASONS);
  assert_int_equal(tally.other_reasons, 5);
  tally_close(&tally);
  flow_block_free(&work);
}

static void quantiles_are_those_of_the_sorted_lengths(void **state) {
  (void)state;
  struct tally tally;
  struct error error;
  assert_true(tally_open(&tally, 100, &error));
  assert_int_equal(tally_quantile(&tally, 0.5), 0);
  for (int tokens = 1; tokens <= 10; tokens++) tally.length[10 * tokens] = 1;
  tally.rows = 10;
  assert_int_equal(tally_quantile(&tally, 0), 10);
  assert_int_equal(tally_quantile(&tally, 0.5), 50);
  assert_int_equal(tally_quantile(&tally, 0.51), 60);
  assert_int_equal(tally_quantile(&tally, 0.99), 100);
  assert_int_equal(tally_quantile(&tally, 1), 100);
  tally_close(&tally);
}

/* A shard with lines from 5 to 4,000 bytes by a fixed rule, and the lines that a sample takes. */
enum { LINES = 4000 };
static char path[64];
static int64_t offsets[LINES + 1];

static int make_shard(void **state) {
  (void)state;
  strcpy(path, "/tmp/nina-sample-XXXXXX");
  const int descriptor = mkstemp(path);
  FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
  if (!file) return -1;
  for (int i = 0; i < LINES; i++) {
    const int length = i % 17 == 0 ? 4000 : 5 + i % 40;
    offsets[i + 1] = offsets[i] + length;
    fprintf(file, "%*d\n", length - 1, i);
  }
  return fclose(file);
}

static int remove_shard(void **state) {
  (void)state;
  return unlink(path);
}

static struct input_sample *open_sample(struct shard *shard, double share, const atomic_int *stop) {
  struct error error;
  assert_true(shard_examine(shard, &error));
  const struct input_sample_options options = {
      .shards = shard,
      .count = 1,
      .limits = {.lines = 300, .bytes = 1 << 20, .max_line = 1 << 20},
      .share = share,
      .stop = stop};
  struct input_sample *sample = input_sample_open(&options, &error);
  assert_non_null(sample);
  return sample;
}

static void a_sample_has_the_whole_lines_that_begin_in_its_windows(void **state) {
  (void)state;
  struct shard shard = {.path = path};
  atomic_int stop = 0;
  struct input_sample *sample = open_sample(&shard, 0.25, &stop);
  struct input_extent extent;
  struct block block = {0};
  struct error error;
  static bool taken[LINES];
  int lines = 0;
  while (input_sample_next(sample, &block, &error) == BLOCK_READ)
    for (int64_t i = 0; i < block.border.lines; i++, lines++) {
      const int number = atoi(block.line[i].text);
      assert_int_equal(block.line[i].offset, offsets[number]);
      assert_int_equal(block.line[i].length, offsets[number + 1] - offsets[number] - 1);
      assert_false(taken[number]);
      taken[number] = true;
      assert_true(block.border.first_line == 0 || block.border.first_line + i == number + 1);
    }
  input_sample_extent(sample, &extent);
  assert_false(extent.all);
  assert_true(extent.windows >= 10);
  assert_int_equal(extent.text_bytes, extent.windows * SAMPLE_WINDOW_LEAST);
  assert_int_equal(extent.whole_bytes, offsets[LINES]);
  const double stride = extent.whole_bytes / (double)extent.windows;
  for (int number = 0; number < LINES; number++) {
    const int64_t window = (int64_t)((double)offsets[number] / stride);
    int64_t start = (int64_t)((double)window * stride);
    if (start > offsets[number]) start = (int64_t)((double)(window - 1) * stride);
    const bool inside = offsets[number] < start + SAMPLE_WINDOW_LEAST;
    assert_int_equal(taken[number], inside);
  }
  assert_true(lines > LINES / 8 && lines < LINES / 2);
  block_free(&block);
  input_sample_close(sample);
}

static void the_share_of_one_is_every_line(void **state) {
  (void)state;
  struct shard shard = {.path = path};
  atomic_int stop = 0;
  struct input_sample *sample = open_sample(&shard, 1, &stop);
  struct input_extent extent;
  struct block block = {0};
  struct error error;
  int64_t lines = 0;
  for (; input_sample_next(sample, &block, &error) == BLOCK_READ; lines += block.border.lines)
    assert_int_equal(block.border.first_line, lines + 1);
  input_sample_extent(sample, &extent);
  assert_true(extent.all);
  assert_int_equal(lines, LINES);
  assert_int_equal(extent.text_bytes, offsets[LINES]);
  assert_int_equal(extent.done, extent.total);
  block_free(&block);
  input_sample_close(sample);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(row_sample_does_not_depend_on_the_order_of_rows),
      cmocka_unit_test(reasons_that_differ_in_numbers_alone_count_as_one),
      cmocka_unit_test(reasons_beyond_the_table_are_still_counted),
      cmocka_unit_test(quantiles_are_those_of_the_sorted_lengths),
      cmocka_unit_test(a_sample_has_the_whole_lines_that_begin_in_its_windows),
      cmocka_unit_test(the_share_of_one_is_every_line),
  };
  return cmocka_run_group_tests(tests, make_shard, remove_shard);
}
