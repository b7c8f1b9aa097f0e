#include "io/line_reader.h"

#include "tests/unit/io/frames.h"
#include "tests/unit/io/shard_files.h"

#define LONGEST 100

static char path[512];

static struct line_reader *reader_of(void **state, const void *bytes, size_t size,
                                     struct line_limits limits) {
  struct error error;
  scratch_write(*state, "lines", bytes, size);
  struct line_reader *reader = line_reader_open(scratch_path(path, *state, "lines"), &limits, &error);
  if (!reader) fail_msg("%s", error.message);
  return reader;
}

#define READER(text) reader_of(state, text, sizeof text - 1, (struct line_limits){.line = LONGEST})

static void expect_line(struct line_reader *reader, const char *text, int64_t number, int64_t offset) {
  struct line line;
  struct error error;
  assert_int_equal(line_reader_next(reader, &line, &error), LINE_READ);
  assert_string_equal(line.text, text);
  assert_int_equal(line.length, strlen(text));
  assert_int_equal(line.offset, offset);
  assert_int_equal(line_reader_number(reader), number);
  assert_true(line_is_string(reader, &line, &error));
}

static void expect_end(struct line_reader *reader) {
  struct line line;
  struct error error;
  assert_int_equal(line_reader_next(reader, &line, &error), LINE_END);
  assert_int_equal(line_reader_next(reader, &line, &error), LINE_END);
  line_reader_close(reader);
}

static void expect_failure(struct line_reader *reader, enum error_code code, const char *phrase) {
  struct line line;
  struct error error;
  assert_int_equal(line_reader_next(reader, &line, &error), LINE_FAILED);
  assert_int_equal(error.code, code);
  assert_says(&error, path);
  assert_says(&error, phrase);
  line_reader_close(reader);
}

static void lines_come_without_their_ends_and_the_opening_mark(void **state) {
  struct line_reader *reader = READER(
      "\xef\xbb\xbfone\r\n\n two \r\r\n\xef\xbb\xbf"
      "3");
  expect_line(reader, "one", 1, 0);
  expect_line(reader, "", 2, 8);
  expect_line(reader, " two \r", 3, 9);
  expect_line(reader,
              "\xef\xbb\xbf"
              "3",
              4, 17);
  expect_end(reader);
  expect_end(READER(""));
  reader = READER("a\r");
  expect_line(reader, "a", 1, 0);
  expect_end(reader);
}

static void compressed_lines_are_read_up_to_the_damage(void **state) {
  struct bytes zstd = {0};
  bytes_add_zstd(&zstd, "one\ntwo\nthr", 11);
  struct line_reader *reader = reader_of(state, zstd.data, zstd.size, (struct line_limits){.line = LONGEST});
  expect_line(reader, "one", 1, 0);
  expect_line(reader, "two", 2, 4);
  expect_line(reader, "thr", 3, 8);
  expect_end(reader);
  reader = reader_of(state, zstd.data, zstd.size - 2, (struct line_limits){.line = LONGEST});
  expect_line(reader, "one", 1, 0);
  expect_line(reader, "two", 2, 4);
  expect_failure(reader, ERROR_INPUT, "the file is truncated");
  bytes_free(&zstd);
}

/* Line lengths around the limit and around one read's size. */
static struct line_reader *frames_open(int64_t frame_most) {
  struct error error;
  struct line_reader *reader =
      line_reader_open_frames(path, &(struct line_limits){.line = LONGEST}, frame_most, &error);
  if (!reader) fail_msg("%s", error.message);
  return reader;
}

static void lines_of_frames_may_cross_them(void **state) {
  frames_write(path, *state, (const char *[]){"one\ntw", "o\n", "\nlast"}, 3);
  struct line_reader *reader = frames_open(6);
  assert_false(line_reader_can_seek(reader));
  expect_line(reader, "one", 1, 0);
  expect_line(reader, "two", 2, 4);
  expect_line(reader, "", 3, 8);
  expect_line(reader, "last", 4, 9);
  expect_end(reader);
  frames_write(path, *state, NULL, 0);
  expect_end(frames_open(0));
}

static void no_line_of_a_frame_is_given_before_its_checksum(void **state) {
  frames_write(path, *state, (const char *[]){"one\ntwo\n", "three\nfour\n"}, 2);
  frames_damage(*state);
  struct line_reader *reader = frames_open(LONGEST);
  expect_line(reader, "one", 1, 0);
  expect_line(reader, "two", 2, 4);
  expect_failure(reader, ERROR_INPUT, "damaged frame 1");
}

static void frame_larger_than_its_lines_may_be_is_refused(void **state) {
  struct error error;
  frames_write(path, *state, (const char *[]){"one\n", "three\n"}, 2);
  assert_null(line_reader_open_frames(path, &(struct line_limits){.line = LONGEST}, 5, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, "a frame of 6 bytes");
}

static void longest_line_is_taken_and_a_longer_one_is_named(void **state) {
  static const int64_t limits[] = {1, 100, (128 << 10) - 2, 128 << 10, 300000};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
    for (int64_t more = -1; more <= 5; more++) {
      struct bytes text = {0};
      struct error error;
      struct line line;
      char sentence[80];
      bytes_add_text(&text, "\n");
      for (int64_t n = 0; n < limits[i] + more; n++) bytes_add_text(&text, "x");
      bytes_add_text(&text, "\r\nlast");
      struct line_reader *reader =
          reader_of(state, text.data, text.size, (struct line_limits){.line = limits[i]});
      expect_line(reader, "", 1, 0);
      assert_int_equal(line_reader_next_any(reader, &line, &error), LINE_READ);
      assert_int_equal(line.length, limits[i] + more);
      assert_int_equal(line.too_long, more > 0);
      assert_int_equal(line.text == NULL, more > 0);
      if (limits[i] > 3) {
        expect_line(reader, "last", 3, limits[i] + more + 3);
        expect_end(reader);
      } else {
        line_reader_close(reader);
      }
      if (more > 0) {
        reader = reader_of(state, text.data + 1, text.size - 1, (struct line_limits){.line = limits[i]});
        snprintf(sentence, sizeof sentence, ", line 1 is longer than %lld bytes", (long long)limits[i]);
        expect_failure(reader, ERROR_INPUT, sentence);
      }
      bytes_free(&text);
    }
}

static void too_much_text_is_refused(void **state) {
  struct bytes zstd = {0}, text = {0};
  for (int i = 0; i < 1000000; i++) bytes_add_text(&text, "\n");
  bytes_add_zstd(&zstd, text.data, text.size);
  const struct line_limits limits = {.line = LONGEST, .total = 500000};
  struct line_reader *reader = reader_of(state, zstd.data, zstd.size, limits);
  struct line line;
  struct error error;
  int64_t lines = 0;
  while (line_reader_next(reader, &line, &error) == LINE_READ) lines++;
  assert_true(lines <= 500000);
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, "holds more than 500000 bytes of text");
  line_reader_close(reader);
  bytes_free(&text);
  bytes_free(&zstd);
}

static void nul_makes_a_line_no_string(void **state) {
  struct line_reader *reader = READER("a\n\0b\n");
  struct line line;
  struct error error;
  expect_line(reader, "a", 1, 0);
  assert_int_equal(line_reader_next(reader, &line, &error), LINE_READ);
  assert_int_equal(line.length, 2);
  assert_false(line_is_string(reader, &line, &error));
  assert_says(&error, ", line 2: a NUL byte: this is not a text file");
  line_reader_close(reader);
}

static void reading_may_begin_at_a_line(void **state) {
  struct bytes text = {0}, gzip = {0};
  struct error error;
  for (int i = 0; i < 100000; i++) bytes_add_text(&text, "0123456789\n");
  bytes_add_text(&text, "here\nafter\n");
  bytes_add_gzip(&gzip, text.data, text.size);
  for (int compressed = 0; compressed < 2; compressed++) {
    const struct bytes *bytes = compressed ? &gzip : &text;
    struct line_reader *reader =
        reader_of(state, bytes->data, bytes->size, (struct line_limits){.line = LONGEST});
    assert_int_equal(line_reader_can_seek(reader), !compressed);
    assert_true(line_reader_go(reader, 1100000, 100001, &error));
    expect_line(reader, "here", 100001, 1100000);
    expect_line(reader, "after", 100002, 1100005);
    expect_end(reader);
    reader = reader_of(state, bytes->data, bytes->size, (struct line_limits){.line = LONGEST});
    assert_false(line_reader_go(reader, 1100012, 100003, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    line_reader_close(reader);
  }
  bytes_free(&text);
  bytes_free(&gzip);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(lines_come_without_their_ends_and_the_opening_mark, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(compressed_lines_are_read_up_to_the_damage, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(lines_of_frames_may_cross_them, scratch_make, scratch_remove),
      cmocka_unit_test_setup_teardown(no_line_of_a_frame_is_given_before_its_checksum, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(frame_larger_than_its_lines_may_be_is_refused, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(longest_line_is_taken_and_a_longer_one_is_named, scratch_make,
                                      scratch_remove),
      cmocka_unit_test_setup_teardown(too_much_text_is_refused, scratch_make, scratch_remove),
      cmocka_unit_test_setup_teardown(nul_makes_a_line_no_string, scratch_make, scratch_remove),
      cmocka_unit_test_setup_teardown(reading_may_begin_at_a_line, scratch_make, scratch_remove),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
