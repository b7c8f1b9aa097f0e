#include "io/run/layout.h"

#include "io/run/identity.h"
#include "io/run/record.h"
#include "tests/unit/io/scratch.h"

static void every_file_s_name_is_read_as_it_is_spelled(void **state) {
  (void)state;
  static const char *const expected[FOLDERS] = {[FOLDER_VECTORS] = "w64/part-00003-1234567.npy.zst",
                                                [FOLDER_IDS] = "ids/part-00003-1234567.jsonl.zst",
                                                [FOLDER_HASHES] = "hashes/part-00003-1234567.npy.zst",
                                                [FOLDER_TEXT] = "text/part-00003-1234567.jsonl.zst",
                                                [FOLDER_FIELDS] = "fields/part-00003-1234567.jsonl.zst",
                                                [FOLDER_REJECTS] = "rejects/part-00003-1234567.jsonl",
                                                [FOLDER_RECORDS] = "parts/part-00003-1234567.json"};
  for (enum folder folder = 0; folder < FOLDERS; folder++) {
    char path[PART_PATH_MAX], name[PART_PATH_MAX];
    enum folder found;
    int32_t shard, block, width;
    part_path_format(path, folder, 64, 3, 1234567);
    assert_string_equal(path, expected[folder]);
    layout_folder_name(folder, 64, name);
    assert_true(layout_folder_find(name, &found));
    assert_int_equal(found, folder);
    assert_int_equal(part_path_folder(path, &width), folder);
    assert_int_equal(width, folder == FOLDER_VECTORS ? 64 : 0);
    assert_true(part_name_parse(name, path + strlen(name) + 1, &shard, &block));
    assert_int_equal(shard, 3);
    assert_int_equal(block, 1234567);
  }
}

static void names_that_no_run_spells_are_strangers(void **state) {
  (void)state;
  static const char *const folders[] = {"", "w", "w8x", "wide", "id", "idss", "parts/", ".."};
  static const char *const names[] = {"part-00000-00000.npy",      "part-0-0.npy.zst",
                                      "part-00000-00000.npy.zst~", "part-00000-4294967296.npy.zst",
                                      "part--0001-00000.npy.zst",  "part-00000-00000.jsonl.zst"};
  enum folder folder;
  int32_t shard, block, width;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    if (layout_folder_find(folders[i], &folder)) fail_msg("%s", folders[i]);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (part_name_parse("w8", names[i], &shard, &block)) fail_msg("%s", names[i]);
  assert_int_equal(part_path_folder("wide/part-00000-00000.npy.zst", &width), FOLDERS);
  assert_int_equal(part_path_folder("w4294967304/part-00000-00000.npy.zst", &width), FOLDER_VECTORS);
  assert_int_equal(width, 0);
  assert_true(part_name_parse("w8", "part-00000-00000.npy.zst", &shard, &block));
  assert_false(part_name_parse("ids", "part-00000-00000.npy.zst", &shard, &block));
}

static void record_has_room_for_every_file_of_a_part(void **state) {
  (void)state;
  const struct run_settings settings = {.store_text = true, .hashes = true, .keep_fields = (char *)"url"};
  int files = WIDTHS_MAX;
  for (enum folder folder = 0; folder < FOLDERS; folder++)
    if (folder != FOLDER_VECTORS && folder != FOLDER_RECORDS) files += layout_stores(folder, &settings);
  assert_int_equal(files, PART_FILES_MAX);
  assert_false(layout_stores(FOLDER_TEXT, &(struct run_settings){.store_text = false}));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_file_s_name_is_read_as_it_is_spelled),
      cmocka_unit_test(names_that_no_run_spells_are_strangers),
      cmocka_unit_test(record_has_room_for_every_file_of_a_part),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
