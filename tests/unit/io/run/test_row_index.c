/* Every row of earlier runs is found by its hash, and no other. */
#include "io/run/row_index.h"

#include <sys/stat.h>

#include "io/npy_zst.h"
#include "io/run/record.h"
#include "io/run/row_index_file.h"
#include "tests/unit/io/scratch.h"

#define WIDTH 2
#define ROWS_MOST 4096

/* A hash that looks like any other, for each number. */
static void hash_of(int64_t number, unsigned char hash[ROW_HASH_BYTES]) {
  row_hash(&(int32_t){(int32_t)number}, 1, 0, hash);
}

static void file_end(struct file_writer *file, struct part_record *record, enum folder folder) {
  struct error error;
  struct part_file *entry = &record->files[record->file_count++];
  part_path_format(entry->path, folder, WIDTH, record->border.shard, record->border.index);
  assert_ok(file_writer_commit(file, &entry->digest, &error), &error);
}

/* Writes a part whose row i has the hash of number first + i · step, and its record. */
static void part_write(const char *out, int32_t shard, int32_t block, int64_t rows, int64_t first,
                       int64_t step) {
  static const uint16_t vectors[ROWS_MOST * WIDTH];
  static unsigned char hashes[ROWS_MOST * ROW_HASH_BYTES];
  struct error error;
  struct file_writer file;
  char name[PART_PATH_MAX], path[512];
  struct part_record record = {.border = {.shard = shard,
                                          .index = block,
                                          .first_line = 1 + block,
                                          .lines = rows,
                                          .first_offset = block,
                                          .next_offset = block + 1,
                                          .hash = "0123456789abcdef0123456789abcdef"},
                               .rows = rows};
  for (int64_t i = 0; i < rows; i++) hash_of(first + i * step, hashes + i * ROW_HASH_BYTES);
  part_path_format(name, FOLDER_VECTORS, WIDTH, shard, block);
  assert_ok(file_writer_open(&file, scratch_path(path, out, name), &error), &error);
  assert_ok(npy_zst_write(&file, vectors, rows, WIDTH, 1, &error), &error);
  file_end(&file, &record, FOLDER_VECTORS);
  part_path_format(name, FOLDER_HASHES, 0, shard, block);
  assert_ok(file_writer_open(&file, scratch_path(path, out, name), &error), &error);
  assert_ok(npy_zst_write_bytes(&file, hashes, rows, ROW_HASH_BYTES, 1, &error), &error);
  file_end(&file, &record, FOLDER_HASHES);
  assert_ok(record_write(out, out, &record, &error), &error);
}

static const char *out_make(char out[512], const void *folder, const char *name) {
  static const char *const folders[] = {"", "/w2", "/hashes", "/parts"};
  char path[600];
  scratch_path(out, folder, name);
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    snprintf(path, sizeof path, "%s%s", out, folders[i]);
    assert_int_equal(mkdir(path, 0777), 0);
  }
  return out;
}

static struct row_index *index_make(const void *folder, const struct index_source *sources, int32_t count,
                                    size_t memory, struct row_index_sums *sums) {
  char path[512];
  struct error error;
  scratch_path(path, folder, "rows");
  assert_ok(row_index_build(path, sources, count, memory, sums, &error), &error);
  struct row_index *index = row_index_open(path, &error);
  assert_ok(index, &error);
  return index;
}

static void assert_found(const struct row_index *index, int64_t number, int32_t source, int32_t shard,
                         int32_t block, int32_t row) {
  unsigned char hash[ROW_HASH_BYTES];
  struct row_place place;
  hash_of(number, hash);
  if (!row_index_find(index, hash, &place)) fail_msg("%lld was not found", (long long)number);
  const struct index_part *part = row_index_part(index, place.part);
  assert_int_equal(part->source, source);
  assert_int_equal(part->shard, shard);
  assert_int_equal(part->block, block);
  assert_int_equal(place.row, row);
}

static void assert_missing(const struct row_index *index, int64_t number) {
  unsigned char hash[ROW_HASH_BYTES];
  struct row_place place;
  hash_of(number, hash);
  if (row_index_find(index, hash, &place)) fail_msg("%lld was found", (long long)number);
}

static void every_row_is_found_and_no_other(void **state) {
  char outs[2][512];
  struct row_index_sums sums;
  const struct index_source sources[] = {{out_make(outs[0], *state, "a"), 2, WIDTH},
                                         {out_make(outs[1], *state, "b"), 1, WIDTH}};
  part_write(outs[0], 0, 0, 4000, 0, 1);
  part_write(outs[0], 1, 0, 1, 4000, 1);
  part_write(outs[0], 1, 1, 0, 0, 1);
  part_write(outs[1], 0, 0, 3000, 5000, 2);
  /* In memory, and with runs in a file. */
  for (size_t memory = 2000; memory < 2000000; memory *= 300) {
    struct row_index *index = index_make(*state, sources, 2, memory, &sums);
    assert_int_equal(sums.rows, 7001);
    assert_int_equal(sums.parts, 3);
    assert_int_equal(sums.left_out, 0);
    assert_string_equal(row_index_source(index, 1), outs[1]);
    for (int32_t i = 0; i < 4000; i++) assert_found(index, i, 0, 0, 0, i);
    assert_found(index, 4000, 0, 1, 0, 0);
    for (int32_t i = 0; i < 3000; i++) {
      assert_found(index, 5000 + 2 * i, 1, 0, 0, i);
      assert_missing(index, 5001 + 2 * i);
    }
    for (int64_t i = 100000; i < 120000; i++) assert_missing(index, i);
    row_index_close(index);
  }
}

static void first_of_equal_rows_stands_for_all(void **state) {
  char outs[2][512];
  struct row_index_sums sums;
  const struct index_source sources[] = {{out_make(outs[0], *state, "a"), 1, WIDTH},
                                         {out_make(outs[1], *state, "b"), 1, WIDTH}};
  part_write(outs[0], 0, 0, 10, 7, 0);
  part_write(outs[0], 0, 1, 10, 7, 1);
  part_write(outs[1], 0, 0, 20, 7, 1);
  struct row_index *index = index_make(*state, sources, 2, 100, &sums);
  assert_int_equal(sums.rows, 20);
  assert_found(index, 7, 0, 0, 0, 0);
  assert_found(index, 8, 0, 0, 1, 1);
  assert_found(index, 26, 1, 0, 0, 19);
  row_index_close(index);
}

static void empty_index_finds_nothing(void **state) {
  char out[512];
  struct row_index_sums sums;
  const struct index_source source = {out_make(out, *state, "a"), 1, WIDTH};
  struct row_index *index = index_make(*state, &source, 1, 1000, &sums);
  assert_int_equal(sums.rows, 0);
  assert_missing(index, 1);
  row_index_close(index);
}

static void part_without_its_files_is_left_out(void **state) {
  char out[512], path[512];
  char one[33], other[33];
  struct row_index_sums sums;
  struct error error;
  const struct index_source source = {out_make(out, *state, "a"), 1, WIDTH};
  for (int32_t block = 0; block < 5; block++) part_write(out, 0, block, 10, 10 * block, 1);
  assert_ok(row_index_fingerprint(&source, 1, one, &error), &error);
  assert_int_equal(unlink(scratch_path(path, out, "w2/part-00000-00000.npy.zst")), 0);
  assert_int_equal(truncate(scratch_path(path, out, "hashes/part-00000-00001.npy.zst"), 40), 0);
  scratch_write(out, "parts/part-00000-00002.json", "{", 1);
  assert_int_equal(truncate(scratch_path(path, out, "w2/part-00000-00003.npy.zst"), 40), 0);
  struct row_index *index = index_make(*state, &source, 1, 1000, &sums);
  assert_int_equal(sums.left_out, 4);
  assert_int_equal(sums.rows, 10);
  assert_missing(index, 0);
  assert_missing(index, 10);
  assert_missing(index, 20);
  assert_missing(index, 30);
  assert_found(index, 40, 0, 0, 4, 0);
  row_index_close(index);
  assert_ok(row_index_fingerprint(&source, 1, other, &error), &error);
  assert_string_not_equal(one, other);
}

static void file_that_is_no_index_is_refused(void **state) {
  char out[512], path[512];
  struct row_index_sums sums;
  struct error error;
  size_t size;
  const struct index_source source = {out_make(out, *state, "a"), 1, WIDTH};
  part_write(out, 0, 0, 10, 0, 1);
  row_index_close(index_make(*state, &source, 1, 1000, &sums));
  scratch_path(path, *state, "rows");
  unsigned char *content = scratch_read(*state, "rows", &size);
  /* Cut anywhere, it is refused, or has fewer rows. */
  for (size_t length = 1; length < size; length++) {
    scratch_write(*state, "rows", content, length);
    struct row_index *index = row_index_open(path, &error);
    if (index) assert_missing(index, 1000);
    if (!index) assert_int_equal(error.code, ERROR_INPUT);
    row_index_close(index);
  }
  /* So is any number in its head. */
  for (size_t at = 0; at < 32; at++) {
    content[at] ^= 0x80;
    scratch_write(*state, "rows", content, size);
    assert_null(row_index_open(path, &error));
    content[at] ^= 0x80;
  }
  /* So are paths that would reach past the file's end, by the size of some entries. */
  struct row_index_head *head = (void *)content;
  const int64_t right = head->path_bytes;
  for (int entries = 11; entries < 20; entries++) {
    head->path_bytes = right + (int64_t)entries * ROW_INDEX_ENTRY;
    scratch_write(*state, "rows", content, size);
    assert_null(row_index_open(path, &error));
    assert_int_equal(error.code, ERROR_INPUT);
  }
  free(content);
}

/* The file belongs to the job, but a disk may still give other bytes than it was given. */
static void entry_that_leads_nowhere_finds_nothing(void **state) {
  enum { ROWS = 10 };
  static const struct {
    size_t at; /* in an entry */
    unsigned char number;
  } wrong[] = {{ROW_HASH_BYTES + 3, 1},
               {ROW_HASH_BYTES, 0x80},
               {ROW_HASH_BYTES + 7, ROWS},
               {ROW_HASH_BYTES + 4, 0x80}};
  char out[512], path[512];
  struct row_index_sums sums;
  struct error error;
  size_t size;
  const struct index_source source = {out_make(out, *state, "a"), 1, WIDTH};
  part_write(out, 0, 0, ROWS, 0, 1);
  row_index_close(index_make(*state, &source, 1, 1000, &sums));
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    unsigned char *content = scratch_read(*state, "rows", &size);
    for (int row = 0; row < ROWS; row++)
      content[size - (size_t)(row + 1) * ROW_INDEX_ENTRY + wrong[i].at] = wrong[i].number;
    scratch_write(*state, "wrong", content, size);
    free(content);
    struct row_index *index = row_index_open(scratch_path(path, *state, "wrong"), &error);
    assert_ok(index, &error);
    for (int row = 0; row < ROWS; row++) assert_missing(index, row);
    row_index_close(index);
  }
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(every_row_is_found_and_no_other),  IN_SCRATCH(first_of_equal_rows_stands_for_all),
      IN_SCRATCH(empty_index_finds_nothing),        IN_SCRATCH(part_without_its_files_is_left_out),
      IN_SCRATCH(file_that_is_no_index_is_refused), IN_SCRATCH(entry_that_leads_nowhere_finds_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
