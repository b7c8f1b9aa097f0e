/* How long a stored line may be for a run's readers, and when they are given it. */
#include "io/run/stored_line.h"

#include "tests/unit/io/frames.h"

static const int64_t mebi = 1 << 20;

static int64_t most(int64_t max_line, const char *keep_fields) {
  char *kept = (char *)(uintptr_t)keep_fields;
  return stored_line_most(&(struct run_settings){.max_line = max_line, .keep_fields = kept});
}

static void readers_take_every_line_that_a_run_may_store(void **state) {
  (void)state;
  static const int64_t lines[] = {1, 1 << 20, 128 << 20, 300 << 20, MAX_LINE_MOST};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    /* text and title of one field, and a reject's path and reason of control characters alone */
    assert_true(most(lines[i], NULL) >= 2 * lines[i] + 6 * (4096 + 256) + 1000);
  assert_true(most(MAX_LINE_MOST, NULL) + LINE_FRAME_BYTES <= SEEKABLE_FRAME_MAX);
}

static void names_of_kept_fields_may_be_long(void **state) {
  (void)state;
  char names[10001];
  memset(names, 1, sizeof names - 1);
  names[sizeof names - 1] = '\0';
  assert_int_equal(most(200 * mebi, names) - most(200 * mebi, NULL), 60000);
}

static void shorter_lines_than_an_older_version_s_are_no_reason_to_refuse_one(void **state) {
  (void)state;
  assert_int_equal(most(1, NULL), 256 * mebi);
}

static void whatever_a_manifest_says_a_line_fits_into_a_frame(void **state) {
  (void)state;
  static const int64_t lines[] = {SEEKABLE_FRAME_MAX / 2, SEEKABLE_FRAME_MAX, 1ll << 53, INT64_MAX};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    assert_int_equal(most(lines[i], "url"), SEEKABLE_FRAME_MAX);
}

static void damaged_line_is_never_given(void **state) {
  const struct run_settings settings = {.max_line = 1000, .block_bytes = 1000};
  static const enum folder folders[] = {FOLDER_IDS, FOLDER_TEXT, FOLDER_FIELDS};
  char path[512];
  struct error error;
  struct line line;
  frames_write(path, *state, (const char *[]){"{}\n{}\n"}, 1);
  frames_damage(*state);
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    struct line_reader *reader = stored_lines_open(path, folders[i], &settings, &error);
    assert_non_null(reader);
    assert_int_equal(line_reader_next(reader, &line, &error), LINE_FAILED);
    assert_int_equal(error.code, ERROR_INPUT);
    line_reader_close(reader);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(readers_take_every_line_that_a_run_may_store),
      cmocka_unit_test(names_of_kept_fields_may_be_long),
      cmocka_unit_test(shorter_lines_than_an_older_version_s_are_no_reason_to_refuse_one),
      cmocka_unit_test(whatever_a_manifest_says_a_line_fits_into_a_frame),
      cmocka_unit_test_setup_teardown(damaged_line_is_never_given, scratch_make, scratch_remove),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
