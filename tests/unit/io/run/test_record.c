/* A commit record counts only if all that it says belongs to one part. */
#include "io/run/record.h"

#include "io/run/layout.h"
#include "tests/unit/io/scratch.h"

/* The record of block 2 of shard 1, with one file. */
static struct part_record record_make(void) {
  struct part_record record = {.border = {.shard = 1,
                                          .index = 2,
                                          .first_line = 21,
                                          .lines = 10,
                                          .first_offset = 200,
                                          .next_offset = 300,
                                          .hash = "0123456789abcdef0123456789abcdef"},
                               .rows = 10,
                               .file_count = 1,
                               .files[0].digest = {9, "0123456789abcdef0123456789abcdef"}};
  part_path_format(record.files[0].path, FOLDER_VECTORS, 8, 1, 2);
  return record;
}

/* Writes the record and reads it again; returns what is wrong, or "". */
static const char *reread(const void *folder, const struct part_record *record) {
  static struct error error;
  struct part_record read;
  assert_ok(record_write(folder, folder, record, &error), &error);
  if (record_read(folder, 1, 2, &read, &error)) {
    assert_memory_equal(&read.border, &record->border, sizeof read.border);
    return "";
  }
  assert_int_equal(error.code, ERROR_INPUT);
  return error.message;
}

static int parts_make(void **state) {
  char path[512];
  return scratch_make(state) || mkdir(scratch_path(path, *state, RECORD_FOLDER), 0777);
}

static void files_of_another_part_are_refused(void **state) {
  static const struct {
    int32_t shard, block;
    bool right;
  } parts[] = {{1, 2, true}, {1, 1, false}, {1, 3, false}, {0, 2, false}, {2, 2, false}, {2, 1, false}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    struct part_record record = record_make();
    part_path_format(record.files[0].path, FOLDER_VECTORS, 8, parts[i].shard, parts[i].block);
    const char *wrong = reread(*state, &record);
    if (parts[i].right)
      assert_string_equal(wrong, "");
    else if (!strstr(wrong, "files are not those of such a part"))
      fail_msg("%s was taken", record.files[0].path);
  }
}

/* Each block before this one has a line, and each line a byte. */
static void borders_that_contradict_the_number_are_refused(void **state) {
  static const struct {
    int64_t first_line, first_offset, next_offset;
    bool right;
  } borders[] = {{21, 200, 300, true}, {3, 2, 2, true},     {2, 200, 300, false},
                 {0, 200, 300, false}, {21, 1, 300, false}, {21, 200, 199, false}};
  for (size_t i = 0; i < sizeof borders / sizeof *borders; i++) {
    struct part_record record = record_make();
    record.border.first_line = borders[i].first_line;
    record.border.first_offset = borders[i].first_offset;
    record.border.next_offset = borders[i].next_offset;
    const char *wrong = reread(*state, &record);
    if (borders[i].right)
      assert_string_equal(wrong, "");
    else if (!strstr(wrong, "its borders contradict its number"))
      fail_msg("borders %zu were taken", i);
  }
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, parts_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(files_of_another_part_are_refused),
      IN_SCRATCH(borders_that_contradict_the_number_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
