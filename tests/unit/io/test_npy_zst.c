/* Vector files: the inside is exactly what NumPy writes, and any rows can be read back. */
#include "io/npy_zst.h"

#include <zstd.h>

#include "io/seekable_zst.h"
#include "tests/unit/io/scratch.h"

#define HEADER_BYTES 128

static uint16_t *values_make(int64_t count) {
  uint16_t *values = malloc((size_t)(count ? count : 1) * sizeof *values);
  assert_non_null(values);
  uint32_t random = 3;
  for (int64_t i = 0; i < count; i++) {
    random = random * 1664525u + 1013904223u;
    values[i] = (uint16_t)(random >> 16);
  }
  return values;
}

static void values_write(const char *path, const uint16_t *values, int64_t rows, int32_t width) {
  struct error error;
  struct file_writer file;
  assert_ok(file_writer_open(&file, path, &error), &error);
  assert_ok(npy_zst_write(&file, values, rows, width, 1, &error), &error);
  assert_ok(file_writer_commit(&file, NULL, &error), &error);
}

static void decompressed_file_is_what_numpy_saves(void **state) {
  /* numpy.save of zeros((3, 20), '<f2') begins like this; spaces and a line end complete the header. */
  static const char expected[] =
      "\x93NUMPY\x01\x00v\x00{'descr': '<f2', 'fortran_order': False, 'shape': (3, 20), }";
  char path[512], content[HEADER_BYTES + 3 * 20 * 2];
  size_t size;
  uint16_t *values = values_make(3 * 20);
  values_write(scratch_path(path, *state, "a.npy.zst"), values, 3, 20);
  unsigned char *file = scratch_read(*state, "a.npy.zst", &size);
  assert_int_equal(ZSTD_decompress(content, sizeof content, file, size), sizeof content);
  assert_memory_equal(content, expected, sizeof expected - 1);
  for (size_t i = sizeof expected - 1; i < HEADER_BYTES - 1; i++) assert_int_equal(content[i], ' ');
  assert_int_equal(content[HEADER_BYTES - 1], '\n');
  assert_memory_equal(content + HEADER_BYTES, values, 3 * 20 * 2);
  free(file);
  free(values);
}

/* Writes rows and reads them back: one by one, all at once, and in stretches that begin and end in different
 * frames. */
static void rows_check(const char *path, int64_t rows, int32_t width) {
  struct error error;
  uint16_t *values = values_make(rows * width), *got = values_make(rows * width);
  values_write(path, values, rows, width);
  struct npy_zst_reader *reader = npy_zst_reader_open(path, &error);
  assert_ok(reader, &error);
  assert_int_equal(npy_zst_reader_rows(reader), rows);
  assert_int_equal(npy_zst_reader_width(reader), width);
  assert_ok(npy_zst_reader_read(reader, 0, rows, got, &error), &error);
  assert_memory_equal(got, values, (size_t)(rows * width) * 2);
  for (int64_t row = rows - 1; row >= 0; row--) {
    const int64_t count = row % 3 && row + 400 <= rows ? 400 : 1;
    assert_ok(npy_zst_reader_read(reader, row, count, got, &error), &error);
    assert_memory_equal(got, values + row * width, (size_t)(count * width) * 2);
  }
  npy_zst_reader_close(reader);
  free(values);
  free(got);
}

static void rows_survive_frame_borders(void **state) {
  char path[512];
  rows_check(scratch_path(path, *state, "a.npy.zst"), 513, 384); /* 170 rows a frame, and a rest */
  rows_check(path, 256, 1024);                                   /* four whole frames */
}

static void bytes_are_rows_of_their_own_type(void **state) {
  static const char expected[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (9000, 16), }";
  const size_t bytes = 9000 * 16;
  char path[512];
  struct error error;
  struct file_writer file;
  uint16_t *values = values_make(9000 * 8);
  unsigned char *got = malloc(bytes + HEADER_BYTES);
  assert_non_null(got);
  assert_ok(file_writer_open(&file, scratch_path(path, *state, "a.npy.zst"), &error), &error);
  assert_ok(npy_zst_write_bytes(&file, (unsigned char *)values, 9000, 16, 1, &error), &error);
  assert_ok(file_writer_commit(&file, NULL, &error), &error);
  struct npy_zst_reader *reader = npy_zst_reader_open_bytes(path, &error);
  assert_ok(reader, &error);
  assert_int_equal(npy_zst_reader_rows(reader), 9000);
  assert_int_equal(npy_zst_reader_width(reader), 16);
  assert_ok(npy_zst_reader_read(reader, 0, 9000, got, &error), &error);
  assert_memory_equal(got, values, bytes);
  assert_ok(npy_zst_reader_read(reader, 8191, 2, got, &error), &error);
  assert_memory_equal(got, (unsigned char *)values + (size_t)8191 * 16, 32);
  npy_zst_reader_close(reader);
  size_t size;
  unsigned char *content = scratch_read(*state, "a.npy.zst", &size);
  assert_int_equal(ZSTD_decompress(got, bytes + HEADER_BYTES, content, size), bytes + HEADER_BYTES);
  assert_memory_equal(got + 10, expected, sizeof expected - 1);
  /* Neither type passes for the other. */
  assert_null(npy_zst_reader_open(path, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  values_write(path, values, 3, 20);
  assert_null(npy_zst_reader_open_bytes(path, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  free(content);
  free(values);
  free(got);
}

static void row_larger_than_a_frame_is_a_frame(void **state) {
  char path[512];
  rows_check(scratch_path(path, *state, "a.npy.zst"), 3, 70001);
}

static void no_rows_are_a_valid_file(void **state) {
  char path[512];
  struct error error;
  uint16_t value;
  values_write(scratch_path(path, *state, "a.npy.zst"), &value, 0, 1024);
  struct npy_zst_reader *reader = npy_zst_reader_open(path, &error);
  assert_ok(reader, &error);
  assert_int_equal(npy_zst_reader_rows(reader), 0);
  assert_int_equal(npy_zst_reader_width(reader), 1024);
  assert_true(npy_zst_reader_read(reader, 0, 0, &value, &error));
  assert_false(npy_zst_reader_read(reader, 0, 1, &value, &error));
  npy_zst_reader_close(reader);
}

static void rows_that_are_not_there_are_refused(void **state) {
  char path[512];
  struct error error;
  uint16_t got[8];
  uint16_t *values = values_make(4 * 2);
  values_write(scratch_path(path, *state, "a.npy.zst"), values, 4, 2);
  free(values);
  struct npy_zst_reader *reader = npy_zst_reader_open(path, &error);
  assert_ok(reader, &error);
  assert_true(npy_zst_reader_read(reader, 4, 0, got, &error));
  assert_false(npy_zst_reader_read(reader, 3, 2, got, &error));
  assert_false(npy_zst_reader_read(reader, -1, 1, got, &error));
  assert_false(npy_zst_reader_read(reader, 0, -1, got, &error));
  assert_false(npy_zst_reader_read(reader, 1, INT64_MAX, got, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  assert_says(&error, "4 rows");
  npy_zst_reader_close(reader);
}

static void header_of_other_arrays_is_refused(void **state) {
  static const char *const headers[] = {
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
      "{'descr': '<f2', 'fortran_order': True, 'shape': (2, 3), }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (6,), }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3, 1), }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3); }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 4), }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 3), }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (-2, -3), }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 0), }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (9223372036854775807, 2147483647), }",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (99999999999999999999999, 3), }",
      "",
  };
  char path[512];
  scratch_path(path, *state, "a.npy.zst");
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    struct error error;
    struct file_writer file;
    char content[HEADER_BYTES + 12] = "";
    snprintf(content, sizeof content, "\x93NUMPY\x01%cv%c%-117s\n", 1, 1, headers[i]);
    content[7] = content[9] = 0;
    assert_ok(file_writer_open(&file, path, &error), &error);
    struct seekable_zst_writer *writer = seekable_zst_writer_open(&file, 1, &error);
    assert_ok(writer, &error);
    assert_ok(seekable_zst_writer_frame(writer, content, sizeof content, &error), &error);
    assert_ok(seekable_zst_writer_finish(writer, &error), &error);
    seekable_zst_writer_close(writer);
    assert_ok(file_writer_commit(&file, NULL, &error), &error);
    if (npy_zst_reader_open(path, &error)) fail_msg("%s was taken", headers[i]);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_says(&error, path);
  }
}

/* 64 MiB of zeros take 2 KB: a frame that no row of this program fills. */
static void frame_larger_than_any_row_is_refused_before_it_is_read(void **state) {
  char path[512];
  struct error error;
  struct file_writer file;
  char *zeros = calloc(64, 1 << 20);
  assert_non_null(zeros);
  static const char head[] =
      "\x93NUMPY\x01\x00v\x00{'descr': '<f2', 'fortran_order': False, 'shape': (64, 524287), }";
  memset(zeros, ' ', 127);
  zeros[127] = '\n';
  memcpy(zeros, head, sizeof head - 1);
  assert_ok(file_writer_open(&file, scratch_path(path, *state, "a.npy.zst"), &error), &error);
  struct seekable_zst_writer *writer = seekable_zst_writer_open(&file, 1, &error);
  assert_ok(writer, &error);
  assert_ok(seekable_zst_writer_frame(writer, zeros, 64 << 20, &error), &error);
  assert_ok(seekable_zst_writer_finish(writer, &error), &error);
  seekable_zst_writer_close(writer);
  assert_ok(file_writer_commit(&file, NULL, &error), &error);
  free(zeros);
  assert_null(npy_zst_reader_open(path, &error));
  assert_says(&error, "does not hold rows of fp16 as this program writes them");
}

static int write_rows(void *context) {
  struct error error;
  struct file_writer file;
  const uint16_t values[64] = {0};
  if (!file_writer_open(&file, context, &error)) return 2;
  const bool ok = npy_zst_write(&file, values, 8, 8, 1, &error);
  file_writer_abandon(&file);
  return ok ? 0 : 1;
}

static void full_disk_is_reported_at_every_write(void **state) {
  char path[512];
  scratch_path(path, *state, "a.npy.zst");
  assert_int_equal(child_run("write:1:ENOSPC", write_rows, path), 1);
  assert_int_equal(child_run("write:2:ENOSPC", write_rows, path), 1);
  assert_int_equal(child_run("write:3:ENOSPC", write_rows, path), 1);
  assert_int_equal(child_run("write:4:ENOSPC", write_rows, path), 0);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(full_disk_is_reported_at_every_write), /* first: see child_run */
      IN_SCRATCH(decompressed_file_is_what_numpy_saves),
      IN_SCRATCH(rows_survive_frame_borders),
      IN_SCRATCH(bytes_are_rows_of_their_own_type),
      IN_SCRATCH(row_larger_than_a_frame_is_a_frame),
      IN_SCRATCH(no_rows_are_a_valid_file),
      IN_SCRATCH(rows_that_are_not_there_are_refused),
      IN_SCRATCH(header_of_other_arrays_is_refused),
      IN_SCRATCH(frame_larger_than_any_row_is_refused_before_it_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
