/* Verification: an undamaged OUT has no findings, and every damage has its own. */
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

/* Fails unless there is such a finding. */
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

/* Shard 0 of three parts, the middle one with rejects, and shard 1 of one part. Made once, since every commit
 * waits for the disk. */
static int run_make(void **state) {
  if (scratch_make(state) != 0) return -1;
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2)};
  struct error error;
  struct run_log *log = fixture_open(*state, shards, 2, RUN_RESUME, &error);
  if (!log) return -1;
  const bool ok = part_make(log, 0, 0, PART_PLAIN, &error) && part_make(log, 0, 1, PART_REJECTS, &error) &&
                  part_make(log, 0, 2, PART_END, &error) && part_make(log, 1, 0, PART_END, &error) &&
                  run_log_finish(log, &error);
  run_log_close(log);
  return ok ? 0 : -1;
}

/* Gives a test a copy of its own. cmocka hands the group's state over as the test's first one. */
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

/* Puts `to` in the place of the first `from` of a text file. */
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
  file_edit(*state, "out/parts/part-00000-00001.json", "\"first_offset\": 1000", "\"first_offset\": 1001");
  assert_only(*state, FINDING_DAMAGED, "parts/part-00000-00001.json",
              "byte 1001; expected line 11, byte 1000");
}

static void changed_count_of_a_record_is_found_by_the_totals(void **state) {
  file_edit(*state, "out/parts/part-00000-00001.json", "\"tokens\": 70", "\"tokens\": 71");
  assert_only(*state, FINDING_DAMAGED, "manifest.json", "tokens is 280, but the records add up to 281");
}

static void part_after_a_shards_end_is_a_stranger(void **state) {
  file_edit(*state, "out/parts/part-00000-00001.json", "\"end_of_shard\": false", "\"end_of_shard\": true");
  file_edit(*state, "out/parts/part-00000-00002.json", "\"end_of_shard\": true", "\"end_of_shard\": false");
  assert_only(*state, FINDING_FOREIGN, "parts/part-00000-00002.json", "the shard's last part is 1");
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
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2), shard_named("c", 3)};
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
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2), shard_named("c", 3)};
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

/* More parts than threads, and more than are read ahead. */
static void report_does_not_depend_on_threads(void **state) {
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2), shard_named("c", 3)};
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
      IN_RUN(changed_count_of_a_record_is_found_by_the_totals),
      IN_RUN(part_after_a_shards_end_is_a_stranger),
      IN_RUN(strangers_are_found_anywhere),
      IN_RUN(unfinished_run_and_damaged_shard_are_incomplete),
      IN_RUN(blocks_that_an_unfinished_run_lacks_are_one_finding),
      IN_RUN(report_does_not_depend_on_threads),
      IN_RUN(folder_without_a_manifest_is_an_error),
  };
  return cmocka_run_group_tests(tests, run_make, scratch_remove);
}
