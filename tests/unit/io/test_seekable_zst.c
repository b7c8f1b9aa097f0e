/* Seekable zstd files: written as the format says, read from anywhere, and refused if damaged. */
#include "io/seekable_zst.h"

#include <zstd.h>

#include "tests/unit/io/scratch.h"

#define CONTENT_BYTES 70000
#define FOOT_BYTES 9

/* Frame sizes that the tests write: small and large ones, also at both ends. The sum is CONTENT_BYTES. */
static const size_t frame_sizes[] = {1, 20000, 128, 40000, 1, 2, 9868};
#define FRAMES (sizeof frame_sizes / sizeof frame_sizes[0])

/* Half noise and half text: some frames are stored raw, some compressed. */
static void content_make(unsigned char *content) {
  uint32_t random = 1;
  for (size_t i = 0; i < CONTENT_BYTES; i++) {
    random = random * 1664525u + 1013904223u;
    content[i] = i % 2000 < 1000 ? (unsigned char)(random >> 24) : (unsigned char)("nina "[i % 5]);
  }
}

static void content_write(const char *path, const unsigned char *content) {
  struct error error;
  struct file_writer file;
  assert_ok(file_writer_open(&file, path, &error), &error);
  struct seekable_zst_writer *writer = seekable_zst_writer_open(&file, 3, &error);
  assert_ok(writer, &error);
  for (size_t i = 0; i < FRAMES; content += frame_sizes[i++]) {
    assert_ok(seekable_zst_writer_frame(writer, content, frame_sizes[i], &error), &error);
    assert_ok(seekable_zst_writer_frame(writer, content, 0, &error), &error);
  }
  assert_ok(seekable_zst_writer_finish(writer, &error), &error);
  seekable_zst_writer_close(writer);
  assert_ok(file_writer_commit(&file, NULL, &error), &error);
}

/* Opens a file and reads all its content; false if either step fails. */
static bool whole_is_read(const char *path, unsigned char *content, struct error *error) {
  struct seekable_zst_reader *reader = seekable_zst_reader_open(path, error);
  if (!reader) return false;
  bool ok = seekable_zst_reader_size(reader) == CONTENT_BYTES;
  if (!ok) error_set(error, ERROR_INPUT, "another size");
  ok = ok && seekable_zst_reader_read(reader, 0, content, CONTENT_BYTES, error);
  seekable_zst_reader_close(reader);
  return ok;
}

static void any_stretch_is_read_back(void **state) {
  static unsigned char content[CONTENT_BYTES], got[CONTENT_BYTES];
  char path[512];
  struct error error;
  content_make(content);
  content_write(scratch_path(path, *state, "a.zst"), content);
  struct seekable_zst_reader *reader = seekable_zst_reader_open(path, &error);
  assert_ok(reader, &error);
  assert_int_equal(seekable_zst_reader_size(reader), CONTENT_BYTES);
  uint32_t random = 7;
  for (int i = 0; i < 300; i++) {
    random = random * 1664525u + 1013904223u;
    const size_t offset = random % (CONTENT_BYTES + 1);
    random = random * 1664525u + 1013904223u;
    const size_t size = random % 3 ? (random >> 8) % (CONTENT_BYTES + 1 - offset) : 0;
    assert_ok(seekable_zst_reader_read(reader, (int64_t)offset, got, size, &error), &error);
    assert_memory_equal(got, content + offset, size);
  }
  for (size_t border = 0, i = 0; i < FRAMES; border += frame_sizes[i++]) {
    assert_ok(seekable_zst_reader_read(reader, (int64_t)border, got, frame_sizes[i], &error), &error);
    assert_memory_equal(got, content + border, frame_sizes[i]);
  }
  seekable_zst_reader_close(reader);
}

static void stretch_past_the_end_is_refused(void **state) {
  static unsigned char content[CONTENT_BYTES];
  char path[512];
  struct error error;
  content_make(content);
  content_write(scratch_path(path, *state, "a.zst"), content);
  struct seekable_zst_reader *reader = seekable_zst_reader_open(path, &error);
  assert_ok(reader, &error);
  unsigned char byte[2];
  assert_true(seekable_zst_reader_read(reader, CONTENT_BYTES, byte, 0, &error));
  assert_false(seekable_zst_reader_read(reader, CONTENT_BYTES - 1, byte, 2, &error));
  assert_false(seekable_zst_reader_read(reader, CONTENT_BYTES + 1, byte, 0, &error));
  assert_false(seekable_zst_reader_read(reader, -1, byte, 1, &error));
  assert_false(seekable_zst_reader_read(reader, 1, byte, SIZE_MAX, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  seekable_zst_reader_close(reader);
}

static void any_zstd_decompresses_the_file(void **state) {
  static unsigned char content[CONTENT_BYTES], got[CONTENT_BYTES];
  char path[512];
  size_t size;
  content_make(content);
  content_write(scratch_path(path, *state, "a.zst"), content);
  unsigned char *file = scratch_read(*state, "a.zst", &size);
  assert_int_equal(ZSTD_decompress(got, sizeof got, file, size), CONTENT_BYTES);
  assert_memory_equal(got, content, CONTENT_BYTES);
  free(file);
}

static uint32_t number_at(const unsigned char *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void table_is_laid_out_as_the_format_says(void **state) {
  static unsigned char content[CONTENT_BYTES];
  char path[512];
  size_t size;
  content_make(content);
  content_write(scratch_path(path, *state, "a.zst"), content);
  unsigned char *file = scratch_read(*state, "a.zst", &size);
  const unsigned char *foot = file + size - FOOT_BYTES, *table = foot - 8 * FRAMES - 8;
  assert_int_equal(number_at(foot + 5), 0x8F92EAB1u);
  assert_int_equal(foot[4], 0);
  assert_int_equal(number_at(foot), FRAMES);
  assert_int_equal(number_at(table), 0x184D2A5Eu);
  assert_int_equal(number_at(table + 4), 8 * FRAMES + FOOT_BYTES);
  const unsigned char *frame = file;
  for (size_t i = 0; i < FRAMES; i++) {
    assert_int_equal(number_at(table + 8 + 8 * i + 4), frame_sizes[i]);
    assert_int_equal(ZSTD_getFrameContentSize(frame, size), frame_sizes[i]);
    assert_true(frame[4] & 4); /* RFC 8878: this bit in the frame header announces a checksum */
    frame += number_at(table + 8 + 8 * i);
  }
  assert_ptr_equal(frame, table);
  free(file);
}

static void put_number(unsigned char **to, uint32_t number) {
  for (int i = 0; i < 4; i++) *(*to)++ = (unsigned char)(number >> (8 * i));
}

static void table_with_checksums_is_read(void **state) {
  static unsigned char content[CONTENT_BYTES], got[CONTENT_BYTES], file[2 * CONTENT_BYTES];
  char path[512];
  struct error error;
  content_make(content);
  unsigned char *to = file;
  const size_t half = CONTENT_BYTES / 2;
  uint32_t compressed[2];
  for (int i = 0; i < 2; i++) {
    compressed[i] = (uint32_t)ZSTD_compress(to, half + 1000, content + half * (size_t)i, half, 1);
    to += compressed[i];
  }
  put_number(&to, 0x184D2A5Eu);
  put_number(&to, 2 * 12 + FOOT_BYTES);
  for (int i = 0; i < 2; i++) {
    put_number(&to, compressed[i]);
    put_number(&to, (uint32_t)half);
    put_number(&to, 0x12345678u);
  }
  put_number(&to, 2);
  *to++ = 0x80;
  put_number(&to, 0x8F92EAB1u);
  scratch_write(*state, "a.zst", file, (size_t)(to - file));
  assert_ok(whole_is_read(scratch_path(path, *state, "a.zst"), got, &error), &error);
  assert_memory_equal(got, content, CONTENT_BYTES);
}

static void no_content_is_a_table_without_frames(void **state) {
  char path[512];
  struct error error;
  struct file_writer file;
  struct digest digest;
  assert_ok(file_writer_open(&file, scratch_path(path, *state, "a.zst"), &error), &error);
  struct seekable_zst_writer *writer = seekable_zst_writer_open(&file, 1, &error);
  assert_ok(seekable_zst_writer_finish(writer, &error), &error);
  seekable_zst_writer_close(writer);
  assert_ok(file_writer_commit(&file, &digest, &error), &error);
  assert_int_equal(digest.size, 8 + FOOT_BYTES);
  struct seekable_zst_reader *reader = seekable_zst_reader_open(path, &error);
  assert_ok(reader, &error);
  assert_int_equal(seekable_zst_reader_size(reader), 0);
  assert_true(seekable_zst_reader_read(reader, 0, path, 0, &error));
  assert_false(seekable_zst_reader_read(reader, 0, path, 1, &error));
  seekable_zst_reader_close(reader);
}

static void file_without_a_table_is_refused(void **state) {
  unsigned char file[256];
  char path[512];
  struct error error;
  const size_t size = ZSTD_compress(file, sizeof file, "a plain zstd file", 17, 1);
  scratch_write(*state, "a.zst", file, size);
  assert_null(seekable_zst_reader_open(scratch_path(path, *state, "a.zst"), &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, path);
  scratch_write(*state, "a.zst", "", 0);
  assert_null(seekable_zst_reader_open(path, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_null(seekable_zst_reader_open(scratch_path(path, *state, "none"), &error));
  assert_int_equal(error.code, ERROR_IO);
}

static void file_cut_anywhere_is_refused(void **state) {
  static unsigned char content[CONTENT_BYTES], got[CONTENT_BYTES];
  char path[512];
  size_t size;
  struct error error;
  content_make(content);
  content_write(scratch_path(path, *state, "a.zst"), content);
  unsigned char *file = scratch_read(*state, "a.zst", &size);
  for (size_t cut = 0; cut < size; cut += cut + 200 < size ? 997 : 1) {
    scratch_write(*state, "cut.zst", file, cut);
    assert_false(whole_is_read(scratch_path(path, *state, "cut.zst"), got, &error));
    assert_int_equal(error.code, ERROR_INPUT);
  }
  free(file);
}

static void flipped_bit_never_gives_other_bytes(void **state) {
  static unsigned char content[CONTENT_BYTES], got[CONTENT_BYTES];
  char path[512];
  size_t size;
  struct error error;
  content_make(content);
  content_write(scratch_path(path, *state, "a.zst"), content);
  unsigned char *file = scratch_read(*state, "a.zst", &size);
  scratch_path(path, *state, "flipped.zst");
  int refused = 0;
  for (size_t i = 0; i < size; i += i + 100 < size ? 499 : 1)
    for (int bit = 0; bit < 8; bit += 3) {
      file[i] ^= (unsigned char)(1 << bit);
      scratch_write(*state, "flipped.zst", file, size);
      /* Some bits mean nothing: the format leaves a few unused in the table's descriptor. */
      if (whole_is_read(path, got, &error))
        assert_memory_equal(got, content, CONTENT_BYTES);
      else
        refused++;
      file[i] ^= (unsigned char)(1 << bit);
    }
  assert_true(refused > 300);
  free(file);
}

static void table_that_promises_the_impossible_is_refused(void **state) {
  static const struct {
    uint32_t compressed, size, frames;
  } forged[] = {
      {8, 0xffffffffu, 1},  /* more than 8 bytes can give */
      {0xffffffffu, 10, 1}, /* longer than the file */
      {7, 10, 1},           /* shorter than the bytes before the table */
      {8, 10, 0xffffffffu}, /* more frames than any file has */
      {8, 10, 100},         /* a table that is longer than the file */
      {8, 0, 1},            /* a frame that gives nothing: it would never be looked into */
      {8, 10, 0},           /* no frames, yet bytes before the table */
  };
  char path[512];
  struct error error;
  for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
    unsigned char file[64] = "8 bytes.", *to = file + 8;
    const uint32_t entries = forged[i].frames == 0 ? 0 : 1;
    put_number(&to, 0x184D2A5Eu);
    put_number(&to, 8 * entries + FOOT_BYTES);
    for (uint32_t entry = 0; entry < entries; entry++) {
      put_number(&to, forged[i].compressed);
      put_number(&to, forged[i].size);
    }
    put_number(&to, forged[i].frames);
    *to++ = 0;
    put_number(&to, 0x8F92EAB1u);
    scratch_write(*state, "a.zst", file, (size_t)(to - file));
    assert_null(seekable_zst_reader_open(scratch_path(path, *state, "a.zst"), &error));
    assert_int_equal(error.code, ERROR_INPUT);
    if (forged[i].frames > 1) assert_says(&error, "does not end in a zstd seek table");
  }
}

static void frame_shorter_than_its_table_says_is_damaged(void **state) {
  char path[512], got[9];
  size_t size;
  struct error error;
  struct file_writer file;
  assert_ok(file_writer_open(&file, scratch_path(path, *state, "a.zst"), &error), &error);
  struct seekable_zst_writer *writer = seekable_zst_writer_open(&file, 1, &error);
  assert_ok(writer, &error);
  assert_ok(seekable_zst_writer_frame(writer, "8 bytes.", 8, &error), &error);
  assert_ok(seekable_zst_writer_finish(writer, &error), &error);
  seekable_zst_writer_close(writer);
  assert_ok(file_writer_commit(&file, NULL, &error), &error);
  unsigned char *content = scratch_read(*state, "a.zst", &size);
  content[size - FOOT_BYTES - 4]++; /* the only entry's number of bytes */
  scratch_write(*state, "a.zst", content, size);
  free(content);
  struct seekable_zst_reader *reader = seekable_zst_reader_open(path, &error);
  assert_ok(reader, &error);
  assert_int_equal(seekable_zst_reader_size(reader), sizeof got);
  assert_false(seekable_zst_reader_read(reader, 0, got, sizeof got, &error)); /* the whole frame */
  assert_says(&error, "shorter than the seek table says");
  assert_false(seekable_zst_reader_read(reader, 1, got, 1, &error)); /* a piece of it */
  assert_int_equal(error.code, ERROR_INPUT);
  seekable_zst_reader_close(reader);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(any_stretch_is_read_back),
      IN_SCRATCH(stretch_past_the_end_is_refused),
      IN_SCRATCH(any_zstd_decompresses_the_file),
      IN_SCRATCH(table_is_laid_out_as_the_format_says),
      IN_SCRATCH(table_with_checksums_is_read),
      IN_SCRATCH(no_content_is_a_table_without_frames),
      IN_SCRATCH(file_without_a_table_is_refused),
      IN_SCRATCH(file_cut_anywhere_is_refused),
      IN_SCRATCH(flipped_bit_never_gives_other_bytes),
      IN_SCRATCH(table_that_promises_the_impossible_is_refused),
      IN_SCRATCH(frame_shorter_than_its_table_says_is_damaged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
