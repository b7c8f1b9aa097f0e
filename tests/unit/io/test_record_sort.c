/* Records come back in order, whether memory holds them all or not. */
#include "io/record_sort.h"

#include "tests/unit/io/scratch.h"

/* A record of 12 bytes: a key that a seed decides, and the record's number, high bytes first. */
#define RECORD 12

static void record_make(unsigned char record[RECORD], uint32_t number, uint32_t keys) {
  const uint64_t key = (number * UINT64_C(0x9e3779b97f4a7c15) >> 20) % keys;
  for (int i = 0; i < 8; i++) record[i] = (unsigned char)(key >> (56 - 8 * i));
  for (int i = 0; i < 4; i++) record[8 + i] = (unsigned char)(number >> (24 - 8 * i));
}

static void records_check(const char *folder, uint32_t count, uint32_t keys, size_t memory) {
  struct error error;
  unsigned char record[RECORD], before[RECORD] = {0};
  const void *found;
  uint64_t sum = 0;
  uint32_t taken = 0;
  struct record_sort *sort = record_sort_open(folder, RECORD, memory, &error);
  assert_ok(sort, &error);
  for (uint32_t i = 1; i <= count; i++) {
    record_make(record, i, keys);
    assert_ok(record_sort_add(sort, record, &error), &error);
  }
  assert_ok(record_sort_finish(sort, &error), &error);
  while (record_sort_next(sort, &found, &error) && found) {
    assert_true(memcmp(before, found, RECORD) < 0); /* no two records are equal */
    memcpy(before, found, RECORD);
    const uint32_t number =
        (uint32_t)before[8] << 24 | (uint32_t)before[9] << 16 | (uint32_t)before[10] << 8 | before[11];
    record_make(record, number, keys);
    assert_memory_equal(record, before, RECORD);
    sum += number;
    taken++;
  }
  assert_null(found);
  assert_int_equal(taken, count);
  assert_true(sum == (uint64_t)count * (count + 1) / 2);
  record_sort_close(sort);
}

static void records_come_in_order(void **state) {
  static const uint32_t counts[] = {0, 1, 2, 99, 100, 101, 200, 5000};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    records_check(*state, counts[i], UINT32_MAX, (size_t)1 << 20);
    records_check(*state, counts[i], UINT32_MAX, 100 * RECORD); /* runs of 100 records */
    records_check(*state, counts[i], 7, 100 * RECORD + 5);
    if (counts[i] < 500) records_check(*state, counts[i], 3, 1); /* runs of one record */
  }
}

static void run_longer_than_its_buffer_is_read_in_pieces(void **state) {
  records_check(*state, 60000, UINT32_MAX, 25000 * RECORD); /* runs of 300 kB, buffers of 100 kB */
}

static void equal_records_are_all_given(void **state) {
  struct error error;
  const void *found;
  int count = 0;
  struct record_sort *sort = record_sort_open(*state, 4, 40, &error);
  assert_ok(sort, &error);
  for (int i = 0; i < 95; i++) assert_ok(record_sort_add(sort, i % 2 ? "abcd" : "abce", &error), &error);
  assert_ok(record_sort_finish(sort, &error), &error);
  while (record_sort_next(sort, &found, &error) && found)
    assert_memory_equal(found, count++ < 47 ? "abcd" : "abce", 4);
  assert_int_equal(count, 95);
  record_sort_close(sort);
}

static int sort_many(void *context) {
  struct error error;
  unsigned char record[RECORD];
  const void *found = NULL;
  struct record_sort *sort = record_sort_open(context, RECORD, 10 * RECORD, &error);
  bool ok = sort != NULL;
  for (uint32_t i = 0; ok && i < 25; i++) {
    record_make(record, i, 100);
    ok = record_sort_add(sort, record, &error);
  }
  ok = ok && record_sort_finish(sort, &error);
  while (ok && (ok = record_sort_next(sort, &found, &error)) && found) continue;
  record_sort_close(sort);
  return ok ? 0 : error.code == ERROR_IO ? 1 : 2;
}

static void full_disk_is_reported(void **state) {
  for (int n = 1; n <= 3; n++) {
    char fault[32];
    snprintf(fault, sizeof fault, "write:%d:ENOSPC", n);
    assert_int_equal(child_run(fault, sort_many, *state), 1);
  }
  assert_int_equal(child_run("read:2:EIO", sort_many, *state), 1);
  assert_int_equal(child_run("write:100:EIO", sort_many, *state), 0);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(full_disk_is_reported), /* first: see child_run */
      IN_SCRATCH(records_come_in_order),
      IN_SCRATCH(run_longer_than_its_buffer_is_read_in_pieces),
      IN_SCRATCH(equal_records_are_all_given),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
