/* Verification: an undamaged OUT has no findings, and each kind of damage has its own finding. */
#include <sys/resource.h>

#include "tests/unit/io/run/run_fixture.h"

#define FINDINGS_MAX 32

struct findings {
  int count;
  enum finding_kind kind[FINDINGS_MAX];
  char path[FINDINGS_MAX][128];
  char detail[FINDINGS_MAX][512];
  struct run_totals totals;
  int64_t files;
};

static void finding_note(void *context, const struct finding *finding) {
  struct findings *findings = context;
  if (findings->count == FINDINGS_MAX) fail_msg("too many findings");
  findings->kind[findings->count] = finding->kind;
  snprintf(findings->path[findings->count], sizeof findings->path[0], "%s", finding->path);
  snprintf(findings->detail[findings->count], sizeof findings->detail[0], "%s", finding->detail);
  findings->count++;
}

static struct findings verify(const void *folder) {
  struct findings findings = {0};
  struct error error;
  assert_ok(
      run_verify(fixture_out(folder), 2, finding_note, &findings, &findings.totals, &findings.files, &error),
      &error);
  return findings;
}

/* Fails if no such finding exists. */
static void assert_found(const struct findings *findings, enum finding_kind kind, const char *path,
                         const char *detail) {
  for (int i = 0; i < findings->count; i++)
    if (findings->kind[i] == kind && strcmp(findings->path[i], path) == 0 &&
        strstr(findings->detail[i], detail))
      return;
  for (int i = 0; i < findings->count; i++)
    print_error("found: %d %s: %s\n", findings->kind[i], findings->path[i], findings->detail[i]);
  fail_msg("no finding %d of %s: %s", kind, path, detail);
}

static void assert_only(const void *folder, enum finding_kind kind, const char *path, const char *detail) {
  const struct findings findings = verify(folder);
  assert_found(&findings, kind, path, detail);
  assert_int_equal(findings.count, 1);
}

/* Makes shard 0 with three parts (the middle one with rejects) and shard 1 with one. Made only once, because
 * each commit waits for the disk. */
static int run_make(void **state) {
  if (scratch_make(state) != 0) return -1;
  const struct shard shards[] = {shard_named("a", 3000), shard_named("b", 1000)};
  struct error error;
  struct run_log *log = fixture_open(*state, shards, 2, RUN_RESUME, &error);
  if (!log) return -1;
  const bool ok = part_make(log, 0, 0, PART_PLAIN, &error) && part_make(log, 0, 1, PART_REJECTS, &error) &&
                  part_make(log, 0, 2, PART_END, &error) && part_make(log, 1, 0, PART_END, &error) &&
                  run_log_finish(log, &error);
  run_log_close(log);
  return ok ? 0 : -1;
}

/* Gives a test its own copy. cmocka passes the group's state as the test's first state. */
static int run_copy(void **state) {
  char command[1100];
  const char *made = *state;
  if (scratch_make(state) != 0) return -1;
  snprintf(command, sizeof command, "cp -R '%.500s/out' '%.500s/out'", made, (char *)*state);
  return system(command);
}

static void file_remove(const void *folder, const char *name) {
  char path[512];
  assert_int_equal(unlink(scratch_path(path, folder, name)), 0);
}

/* Replaces the first `from` in a text file by `to`. */
static void file_edit(const void *folder, const char *name, const char *from, const char *to) {
  size_t size;
  char *text = (char *)scratch_read(folder, name, &size), *edited;
  char *at = strstr(text, from);
  assert_non_null(at);
  assert_true(asprintf(&edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
  scratch_write(folder, name, edited, strlen(edited));
  free(edited);
  free(text);
}

static void undamaged_run_has_no_findings(void **state) {
  const struct findings findings = verify(*state);
  assert_int_equal(findings.count, 0);
  assert_int_equal(findings.files, 4 * 3 + 1);
  assert_int_equal(findings.totals.parts, 4);
  assert_int_equal(findings.totals.lines, 40);
  assert_int_equal(findings.totals.rejected, 1);
}

static void flipped_bit_is_found(void **state) {
  size_t size;
  unsigned char *bytes = scratch_read(*state, "out/w4/part-00000-00002.npy.zst", &size);
  bytes[size - 1] ^= 1;
  scratch_write(*state, "out/w4/part-00000-00002.npy.zst", bytes, size);
  free(bytes);
  assert_only(*state, FINDING_DAMAGED, "w4/part-00000-00002.npy.zst", "XXH3-128");
}

static void file_of_another_size_is_found(void **state) {
  scratch_write(*state, "out/rejects/part-00000-00001.jsonl", "cut", 3);
  assert_only(*state, FINDING_DAMAGED, "rejects/part-00000-00001.jsonl", "3 bytes");
}

static void lost_file_is_found(void **state) {
  file_remove(*state, "out/ids/part-00001-00000.jsonl.zst");
  assert_only(*state, FINDING_MISSING, "ids/part-00001-00000.jsonl.zst", "not there");
}

static void lost_record_is_a_gap_and_leaves_strangers(void **state) {
  file_remove(*state, "out/parts/part-00000-00001.json");
  const struct findings findings = verify(*state);
  assert_found(&findings, FINDING_MISSING, "parts/part-00000-00001.json", "blocks 1 to 1 of shard 0 (a)");
  assert_found(&findings, FINDING_FOREIGN, "w8/part-00000-00001.npy.zst", "no commit record");
  assert_found(&findings, FINDING_FOREIGN, "rejects/part-00000-00001.jsonl", "no commit record");
  assert_int_equal(findings.count, 1 + 4);
}

static void lost_end_of_a_shard_is_found(void **state) {
  file_remove(*state, "out/parts/part-00000-00002.json");
  file_remove(*state, "out/parts/part-00001-00000.json");
  const struct findings findings = verify(*state);
  assert_found(&findings, FINDING_MISSING, "parts/part-00000-00002.json", "shard 0 (a) has no last part");
  assert_found(&findings, FINDING_MISSING, "parts/part-00001-00000.json",
               "shard 1 (b) has no committed block");
  assert_int_equal(findings.count, 2 + 2 * 3);
}

static void unreadable_record_is_one_finding(void **state) {
  scratch_write(*state, "out/parts/part-00000-00001.json", "{", 1);
  assert_only(*state, FINDING_DAMAGED, "parts/part-00000-00001.json", "not a commit record");
  scratch_write(*state, "out/parts/part-00000-00002.json", "{}", 2);
  const struct findings findings = verify(*state);
  assert_found(&findings, FINDING_DAMAGED, "parts/part-00000-00002.json", "no format");
  assert_int_equal(findings.count, 2);
}

static void parts_that_do_not_join_are_found(void **state) {
  file_edit(*state, "out/parts/part-00000-00001.json", "\"first_offset\": 1000", "\"first_offset\": 999");
  assert_only(*state, FINDING_DAMAGED, "parts/part-00000-00001.json",
              "byte 999; expected line 11, byte 1000");
}

static void last_part_that_does_not_end_where_the_shard_does_is_found(void **state) {
  file_edit(*state, "out/manifest.json", "\"size\": 3000", "\"size\": 3001");
  assert_only(*state, FINDING_DAMAGED, "parts/part-00000-00002.json",
              "it ends shard 0 (a) at byte 3000, but the shard has 3001 bytes");
}

static void counts_of_a_record_that_contradict_each_other_are_found(void **state) {
  file_edit(*state, "out/parts/part-00000-00001.json", "\"blank\": 1", "\"blank\": 0");
  assert_only(*state, FINDING_DAMAGED, "parts/part-00000-00001.json",
              "its 8 rows, 1 rejects and 0 blank lines are not its 10 lines");
}

static void count_that_the_ids_contradict_is_found(void **state) {
  file_edit(*state, "out/parts/part-00000-00001.json", "\"tokens\": 70", "\"tokens\": 71");
  assert_only(*state, FINDING_DAMAGED, "ids/part-00000-00001.jsonl.zst",
              "8 rows with 70 tokens, 2 truncated; its part's record says 8, 71 and 2");
}

static void manifest_that_the_records_contradict_is_found(void **state) {
  file_edit(*state, "out/manifest.json", "\"tokens\": 280", "\"tokens\": 281");
  assert_only(*state, FINDING_DAMAGED, "manifest.json", "tokens is 281, but the records add up to 280");
  file_edit(*state, "out/manifest.json", "\"tokens\": 281", "\"tokens\": 280");
  file_edit(*state, "out/manifest.json", "[\"00000-00001\", 8]", "[\"00000-00001\", 9]");
  assert_only(*state, FINDING_DAMAGED, "manifest.json",
              "parts: entry 1 is not that of shard 0, block 1, with 8 rows");
}

static void identity_that_is_not_whole_is_found(void **state) {
  file_edit(*state, "out/manifest.json", "\"tokenizer\"", "\"tokeniser\"");
  assert_only(*state, FINDING_DAMAGED, "manifest.json", "model: it does not name the tokenizer");
}

static void record_without_a_file_of_the_run_is_found(void **state) {
  file_edit(*state, "out/manifest.json", "\"store_text\": false", "\"store_text\": true");
  const struct findings findings = verify(*state);
  assert_found(&findings, FINDING_DAMAGED, "parts/part-00001-00000.json",
               "it does not name text/part-00001-00000.jsonl.zst");
  assert_int_equal(findings.count, 4);
}

/* Writes the part's vectors at width 4 again with one row changed, and a record that agrees. */
static void row_replace(const void *folder, int64_t row, const uint16_t value[4]) {
  static const char name[] = "w4/part-00000-00001.npy.zst";
  struct error error;
  struct part_record record;
  char path[512];
  uint16_t rows[BLOCK_LINES * 4] = {0};
  struct file_writer file;
  assert_ok(record_read(fixture_out(folder), 0, 1, &record, &error), &error);
  for (int64_t i = 0; i < record.rows; i++) rows[4 * i] = 0x3c00;
  memcpy(rows + 4 * row, value, 4 * sizeof *value);
  assert_ok(file_writer_open(&file, scratch_path(path, folder, "out/w4/part-00000-00001.npy.zst"), &error),
            &error);
  assert_ok(npy_zst_write(&file, rows, record.rows, 4, 1, &error), &error);
  for (int i = 0; i < record.file_count; i++)
    if (strcmp(record.files[i].path, name) == 0)
      assert_ok(file_writer_commit(&file, &record.files[i].digest, &error), &error);
  assert_ok(record_write(fixture_out(folder), fixture_out(folder), &record, &error), &error);
}

static void row_that_no_search_could_use_is_found(void **state) {
  static const struct {
    uint16_t row[4];
    const char *detail; /* NULL: the row is good */
  } cases[] = {
      {{0x3c00, 0, 0, 0}, NULL},
      {{0x3800, 0x3800, 0xb800, 0xb800}, NULL}, /* four halves */
      {{0x3c00, 0x2800, 0, 0}, NULL},           /* 1 and 1/32: length 1.0005 */
      {{0x3c00, 0x2c00, 0, 0}, "row 3 is not of length 1"},
      {{0x3bf0, 0, 0, 0}, "row 3 is not of length 1"},
      {{0x4000, 0, 0, 0}, "row 3 is not of length 1"},
      {{0x7bff, 0x7bff, 0, 0}, "row 3 is not of length 1"},
      {{0x3c00, 0x7c00, 0, 0}, "row 3 is not finite"},
      {{0x3c00, 0xfe00, 0, 0}, "row 3 is not finite"},
      {{0, 0, 0, 0x8000}, "row 3 is all zero, and its text has 7 tokens"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    row_replace(*state, 3, cases[i].row);
    const struct findings findings = verify(*state);
    /* The manifest's totals still have the file's old size. */
    if (cases[i].detail)
      assert_found(&findings, FINDING_DAMAGED, "w4/part-00000-00001.npy.zst", cases[i].detail);
    else
      for (int f = 0; f < findings.count; f++) assert_string_equal(findings.path[f], "manifest.json");
  }
}

/* The record has a few hundred bytes, but a table sized by its block number would take 16 GB. */
static void forged_number_of_a_block_costs_nothing(void **state) {
  struct rlimit limit;
  struct error error;
  struct part_record record;
  assert_ok(record_read(fixture_out(*state), 0, 2, &record, &error), &error);
  record.border.index = INT32_MAX - 1;
  record.border.first_line = record.border.first_offset = record.border.index;
  record.border.first_line++;
  record.border.next_offset = record.border.first_offset + 1;
  record.border.end_of_shard = false;
  record.file_count = 0;
  assert_ok(record_write(fixture_out(*state), fixture_out(*state), &record, &error), &error);
  assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
#ifndef __SANITIZE_ADDRESS__ /* AddressSanitizer maps terabytes of addresses */
  const struct rlimit tight = {.rlim_cur = (rlim_t)1 << 30, .rlim_max = limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
#endif
  const struct findings findings = verify(*state);
  assert_found(&findings, FINDING_FOREIGN, "parts/part-00000-2147483646.json", "the shard's last part is 2");
  const struct shard shards[] = {shard_named("a", 3000), shard_named("b", 1000)};
  struct run_log *log = fixture_open(*state, shards, 2, RUN_RESUME, &error);
  assert_ok(log, &error);
  assert_true(run_log_complete(log));
  run_log_close(log);
  assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
  assert_false(scratch_exists(*state, "out/parts/part-00000-2147483646.json"));
}

static void two_parts_that_end_one_shard_are_both_named(void **state) {
  file_edit(*state, "out/parts/part-00000-00001.json", "\"end_of_shard\": false", "\"end_of_shard\": true");
  const struct findings findings = verify(*state);
  assert_found(&findings, FINDING_DAMAGED, "parts/part-00000-00001.json",
               "it ends shard 0 (a) at byte 2000, but the shard has 3000 bytes");
  assert_found(&findings, FINDING_DAMAGED, "parts/part-00000-00001.json",
               "it ends shard 0 (a) at byte 2000, and so does part 2 at byte 3000");
  assert_found(&findings, FINDING_DAMAGED, "parts/part-00000-00002.json",
               "it ends shard 0 (a) at byte 3000, and so does part 1 at byte 2000");
  assert_int_equal(findings.count, 3);
}

static void part_after_a_shards_end_is_a_stranger(void **state) {
  file_edit(*state, "out/parts/part-00000-00001.json", "\"end_of_shard\": false", "\"end_of_shard\": true");
  file_edit(*state, "out/parts/part-00000-00002.json", "\"end_of_shard\": true", "\"end_of_shard\": false");
  const struct findings findings = verify(*state);
  assert_found(&findings, FINDING_FOREIGN, "parts/part-00000-00002.json", "the shard's last part is 1");
  assert_found(&findings, FINDING_DAMAGED, "parts/part-00000-00001.json", "it ends shard 0 (a) at byte 2000");
  assert_int_equal(findings.count, 2);
}

static void strangers_are_found_anywhere(void **state) {
  static const char *const names[] = {"notes.txt",
                                      "w8/notes.txt",
                                      "ids/part-00000-00000.npy.zst",
                                      "parts/part-00009-00000.json",
                                      "w8/part-00000-00007.npy.zst",
                                      "text/part-00000-00000.jsonl.zst"};
  char path[512];
  assert_int_equal(mkdir(scratch_path(path, *state, "out/text"), 0777), 0);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char name[128];
    snprintf(name, sizeof name, "out/%s", names[i]);
    scratch_write(*state, name, "", 0);
  }
  scratch_write(*state, "out/ids/.part-00000-00000.jsonl.zst.host-1-2.tmp", "", 0);
  const struct findings findings = verify(*state);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    assert_found(&findings, FINDING_FOREIGN, names[i], "no commit record");
  assert_found(&findings, FINDING_FOREIGN, "ids/.part-00000-00000.jsonl.zst.host-1-2.tmp", "temporary");
  assert_int_equal(findings.count, sizeof names / sizeof names[0] + 1);
}

static void unfinished_run_and_damaged_shard_are_incomplete(void **state) {
  const struct shard shards[] = {shard_named("a", 3000), shard_named("b", 1000), shard_named("c", 30000)};
  struct error error;
  struct run_log *log = fixture_open(*state, shards, 3, RUN_APPEND, &error);
  assert_ok(log, &error);
  assert_ok(part_make(log, 2, 0, PART_PLAIN, &error), &error);
  assert_ok(part_make(log, 2, 1, PART_INCOMPLETE, &error), &error);
  struct findings findings = verify(*state);
  assert_found(&findings, FINDING_INCOMPLETE, "manifest.json", "not finished (its state is \"running\");");
  assert_found(&findings, FINDING_INCOMPLETE, "parts/part-00002-00001.json", "shard 2 (c) was damaged here");
  assert_int_equal(findings.count, 2);
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(log);
  findings = verify(*state);
  assert_found(&findings, FINDING_INCOMPLETE, "manifest.json", "\"incomplete\"");
  assert_int_equal(findings.count, 2);
}

static void blocks_that_an_unfinished_run_lacks_are_one_finding(void **state) {
  const struct shard shards[] = {shard_named("a", 3000), shard_named("b", 1000), shard_named("c", 30000)};
  struct error error;
  struct run_log *log = fixture_open(*state, shards, 3, RUN_APPEND, &error);
  assert_ok(log, &error);
  run_log_close(log);
  assert_only(*state, FINDING_INCOMPLETE, "manifest.json",
              "\"running\"): blocks of shard 2 (c) are yet to be done, the first is 0; unless");
  file_remove(*state, "out/parts/part-00000-00001.json");
  const struct findings findings = verify(*state);
  assert_found(&findings, FINDING_INCOMPLETE, "manifest.json",
               "blocks of 2 shards are yet to be done, the first is 1 of shard 0 (a);");
  assert_found(&findings, FINDING_FOREIGN, "w8/part-00000-00001.npy.zst", "will be done again");
  assert_int_equal(findings.count, 1 + 4);
}

/* There are more parts than threads, and more than are read ahead. */
static void report_does_not_depend_on_threads(void **state) {
  const struct shard shards[] = {shard_named("a", 3000), shard_named("b", 1000), shard_named("c", 30000)};
  struct error error;
  struct run_log *log = fixture_open(*state, shards, 3, RUN_APPEND, &error);
  assert_ok(log, &error);
  shard_make(log, 2, 30);
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(log);
  scratch_write(*state, "out/ids/part-00002-00029.jsonl.zst", "cut", 3);
  scratch_write(*state, "out/parts/part-00002-00011.json", "{", 1);
  file_remove(*state, "out/w8/part-00002-00003.npy.zst");
  file_remove(*state, "out/w4/part-00002-00003.npy.zst");
  struct findings one = {0};
  assert_ok(run_verify(fixture_out(*state), 1, finding_note, &one, &one.totals, &one.files, &error), &error);
  assert_int_equal(one.count, 4);
  assert_string_equal(one.path[0], "w8/part-00002-00003.npy.zst");
  assert_string_equal(one.path[2], "parts/part-00002-00011.json");
  for (int32_t threads = 2; threads <= 64; threads *= 2) {
    struct findings many = {0};
    assert_ok(
        run_verify(fixture_out(*state), threads, finding_note, &many, &many.totals, &many.files, &error),
        &error);
    assert_memory_equal(&one, &many, sizeof one);
  }
}

static void folder_without_a_manifest_is_an_error(void **state) {
  struct findings findings = {0};
  struct error error;
  file_remove(*state, "out/manifest.json");
  assert_false(
      run_verify(fixture_out(*state), 2, finding_note, &findings, &findings.totals, &findings.files, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, "no manifest.json");
  assert_false(
      run_verify("/none/such", 2, finding_note, &findings, &findings.totals, &findings.files, &error));
  assert_int_equal(findings.count, 0);
}

int main(void) {
#define IN_RUN(test) cmocka_unit_test_setup_teardown(test, run_copy, scratch_remove)
  const struct CMUnitTest tests[] = {
      IN_RUN(undamaged_run_has_no_findings),
      IN_RUN(flipped_bit_is_found),
      IN_RUN(file_of_another_size_is_found),
      IN_RUN(lost_file_is_found),
      IN_RUN(lost_record_is_a_gap_and_leaves_strangers),
      IN_RUN(lost_end_of_a_shard_is_found),
      IN_RUN(unreadable_record_is_one_finding),
      IN_RUN(parts_that_do_not_join_are_found),
      IN_RUN(last_part_that_does_not_end_where_the_shard_does_is_found),
      IN_RUN(counts_of_a_record_that_contradict_each_other_are_found),
      IN_RUN(count_that_the_ids_contradict_is_found),
      IN_RUN(manifest_that_the_records_contradict_is_found),
      IN_RUN(identity_that_is_not_whole_is_found),
      IN_RUN(record_without_a_file_of_the_run_is_found),
      IN_RUN(row_that_no_search_could_use_is_found),
      IN_RUN(forged_number_of_a_block_costs_nothing),
      IN_RUN(two_parts_that_end_one_shard_are_both_named),
      IN_RUN(part_after_a_shards_end_is_a_stranger),
      IN_RUN(strangers_are_found_anywhere),
      IN_RUN(unfinished_run_and_damaged_shard_are_incomplete),
      IN_RUN(blocks_that_an_unfinished_run_lacks_are_one_finding),
      IN_RUN(report_does_not_depend_on_threads),
      IN_RUN(folder_without_a_manifest_is_an_error),
  };
  return cmocka_run_group_tests(tests, run_make, scratch_remove);
}
