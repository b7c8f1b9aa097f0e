/* The run log during a run: what a commit writes, and in what order. */
#include <glob.h>
#include <pthread.h>

#include "tests/unit/io/run/run_fixture.h"

static const struct shard *two_shards(void) {
  static struct shard shards[2];
  shards[0] = shard_named("a.jsonl", 100);
  shards[1] = shard_named("-", -1);
  return shards;
}

static struct run_log *two_open(const void *folder) {
  struct error error;
  struct run_log *log = fixture_open(folder, two_shards(), 2, RUN_RESUME, &error);
  assert_ok(log, &error);
  return log;
}

static json_t *json_read(const void *folder, const char *name) {
  size_t size;
  unsigned char *text = scratch_read(folder, name, &size);
  json_t *json = fixture_json((char *)text);
  free(text);
  return json;
}

static void assert_json(const json_t *json, const char *key, const char *expected) {
  char *text = json_dumps(json_object_get(json, key), JSON_ENCODE_ANY | JSON_COMPACT);
  if (!text) fail_msg("no %s", key);
  assert_string_equal(text, expected);
  free(text);
}

static int64_t files_bytes(const void *folder, const char *pattern) {
  char path[512];
  glob_t found;
  int64_t bytes = 0;
  assert_int_equal(glob(scratch_path(path, folder, pattern), 0, NULL, &found), 0);
  for (size_t i = 0; i < found.gl_pathc; i++) {
    struct stat status;
    assert_int_equal(stat(found.gl_pathv[i], &status), 0);
    bytes += status.st_size;
  }
  globfree(&found);
  return bytes;
}

static void manifest_stands_before_the_first_part(void **state) {
  struct run_log *log = two_open(*state);
  assert_false(run_log_resumed(log));
  assert_true(scratch_exists(*state, "out/w8/.") && scratch_exists(*state, "out/w4/.") &&
              scratch_exists(*state, "out/ids/.") && scratch_exists(*state, "out/rejects/.") &&
              scratch_exists(*state, "out/parts/."));
  assert_false(scratch_exists(*state, "out/text"));
  json_t *manifest = json_read(*state, "out/manifest.json");
  assert_json(manifest, "format", "1");
  assert_json(manifest, "nina", "\"" NINA_VERSION "\"");
  assert_json(manifest, "state", "\"running\"");
  assert_json(manifest, "model", "{\"name\":\"tiny\",\"weights\":\"0a\",\"tokenizer\":\"0b\"}");
  assert_json(
      manifest, "settings",
      "{\"widths\":[8,4],\"text_field\":\"text\",\"id_field\":null,\"title_field\":null,\"prompt\":\"\","
      "\"max_tokens\":64,\"max_line\":1000,\"block_lines\":10,\"block_bytes\":1000,\"zstd_level\":0,"
      "\"store_text\":false,\"keep_fields\":null,\"hashes\":false}");
  assert_json(manifest, "compute_class", "{\"encoder\":\"null\",\"precision\":\"bf16\"}");
  assert_json(manifest, "shards",
              "[{\"path\":\"a.jsonl\",\"size\":100,\"fingerprint\":\"00000000000000000000000000000064\"},"
              "{\"path\":\"-\",\"size\":-1,\"fingerprint\":\"0000000000000000ffffffffffffffff\"}]");
  assert_null(json_object_get(manifest, "parts"));
  json_decref(manifest);
  run_log_close(log);
}

static void record_holds_border_counts_and_digests(void **state) {
  struct error error;
  struct run_log *log = two_open(*state);
  assert_ok(part_make(log, 1, 3, PART_REJECTS, &error), &error);
  run_log_close(log);
  json_t *record = json_read(*state, "out/parts/part-00001-00003.json");
  static const struct {
    const char *key, *value;
  } expected[] = {
      {"format", "1"},           {"shard", "1"},          {"block", "3"},
      {"first_line", "31"},      {"lines", "10"},         {"first_offset", "3000"},
      {"next_offset", "4000"},   {"rows", "8"},           {"rejected", "1"},
      {"truncated", "2"},        {"characters", "100"},   {"embedded", "80"},
      {"tokens", "70"},          {"blank", "1"},          {"vector_bytes", "192"},
      {"end_of_shard", "false"}, {"incomplete", "false"}, {"hash", "\"0123456789abcdef0123456789abcdef\""},
  };
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
    assert_json(record, expected[i].key, expected[i].value);
  const json_t *files = json_object_get(record, "files");
  assert_int_equal(json_array_size(files), 4);
  size_t i;
  json_t *file;
  json_array_foreach(files, i, file) {
    struct digest digest;
    char path[512];
    const char *name = json_string_value(json_object_get(file, "path"));
    snprintf(path, sizeof path, "%s/out/%s", (char *)*state, name);
    assert_ok(file_digest(path, &digest, &error), &error);
    assert_int_equal(json_integer_value(json_object_get(file, "size")), digest.size);
    assert_string_equal(json_string_value(json_object_get(file, "hash")), digest.hash);
  }
  assert_true(scratch_exists(*state, "out/rejects/part-00001-00003.jsonl"));
  json_decref(record);
}

static void totals_add_up_over_parts(void **state) {
  struct run_totals totals;
  struct error error;
  struct run_log *log = two_open(*state);
  shard_make(log, 0, 2);
  assert_ok(part_make(log, 1, 0, PART_REJECTS, &error), &error);
  run_log_totals(log, &totals);
  assert_int_equal(totals.parts, 3);
  assert_int_equal(totals.lines, 30);
  assert_int_equal(totals.rows, 26);
  assert_int_equal(totals.rejected, 1);
  assert_int_equal(totals.truncated, 6);
  assert_int_equal(totals.tokens, 210);
  assert_int_equal(totals.blank, 3);
  assert_int_equal(totals.vector_bytes, 26 * 24);
  assert_int_equal(totals.vector_file_bytes, files_bytes(*state, "out/w*/*"));
  assert_int_equal(totals.file_bytes, files_bytes(*state, "out/w*/*") + files_bytes(*state, "out/[ir]*/*"));
  assert_int_equal(totals.incomplete, 0);
  run_log_close(log);
}

static void part_committed_twice_counts_once(void **state) {
  struct run_totals once, twice;
  struct error error;
  struct run_log *log = two_open(*state);
  shard_make(log, 0, 2);
  run_log_totals(log, &once);
  assert_ok(part_make(log, 0, 1, PART_END, &error), &error);
  run_log_totals(log, &twice);
  assert_memory_equal(&once, &twice, sizeof once);
  assert_int_equal(run_log_shard_blocks(log, 0), 2);
  assert_ok(part_make(log, 0, 1, PART_PLAIN, &error), &error);
  assert_int_equal(run_log_shard_blocks(log, 0), -1);
  run_log_close(log);
}

static void shard_is_known_by_its_last_part(void **state) {
  struct error error;
  struct run_log *log = two_open(*state);
  assert_int_equal(run_log_shard_blocks(log, 0), -1);
  assert_null(run_log_part(log, 0, 0));
  assert_ok(part_make(log, 0, 2, PART_END, &error), &error);
  assert_int_equal(run_log_shard_blocks(log, 0), 3);
  assert_null(run_log_part(log, 0, 1));
  assert_null(run_log_part(log, 0, 3));
  assert_null(run_log_part(log, 0, -1));
  assert_null(run_log_part(log, 2, 0));
  const struct block_border *border = run_log_part(log, 0, 2);
  assert_non_null(border);
  assert_int_equal(border->first_offset, 2000);
  shard_make(log, 1, 1);
  assert_false(run_log_complete(log));
  assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
  assert_false(run_log_complete(log));
  assert_ok(part_make(log, 0, 1, PART_PLAIN, &error), &error);
  assert_true(run_log_complete(log));
  assert_ptr_equal(run_log_part(log, 0, 2), border);
  run_log_close(log);
}

static void incomplete_part_counts_as_not_committed(void **state) {
  struct run_totals totals;
  struct error error;
  struct run_log *log = two_open(*state);
  shard_make(log, 1, 1);
  assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
  assert_ok(part_make(log, 0, 1, PART_INCOMPLETE, &error), &error);
  assert_null(run_log_part(log, 0, 1));
  assert_int_equal(run_log_shard_blocks(log, 0), -1);
  assert_false(run_log_complete(log));
  run_log_totals(log, &totals);
  assert_int_equal(totals.lines, 25);
  assert_int_equal(totals.incomplete, 1);

  assert_ok(part_make(log, 0, 1, PART_END, &error), &error);
  assert_non_null(run_log_part(log, 0, 1));
  assert_true(run_log_complete(log));
  run_log_totals(log, &totals);
  assert_int_equal(totals.parts, 3);
  assert_int_equal(totals.lines, 30);
  assert_int_equal(totals.incomplete, 0);
  run_log_close(log);
}

static void file_that_a_part_no_longer_has_is_removed(void **state) {
  struct error error;
  struct run_log *log = two_open(*state);
  assert_ok(part_make(log, 0, 0, PART_REJECTS, &error), &error);
  assert_true(scratch_exists(*state, "out/rejects/part-00000-00000.jsonl"));
  assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
  assert_false(scratch_exists(*state, "out/rejects/part-00000-00000.jsonl"));
  assert_true(scratch_exists(*state, "out/w8/part-00000-00000.npy.zst"));
  run_log_close(log);
}

/* Makes a part on another rank, and tells `log`, as rank 0 is told. */
static void part_adopt(struct run_log *log, const void *folder, struct run_log *other, int32_t block,
                       enum part_kind kind) {
  struct part_record record;
  struct part_summary summary;
  struct error error;
  assert_ok(part_make(other, 0, block, kind, &error), &error);
  assert_ok(record_read(fixture_out(folder), 0, block, &record, &error), &error);
  part_summary_of(&record, &summary);
  assert_ok(run_log_adopt(log, &summary, &error), &error);
}

/* One rank reads a shard's last block. Another one holds the block after it, and meets a change of the shard
 * on its way there: it makes an incomplete part whose place is not known. */
static void part_beyond_a_shards_end_undoes_nothing(void **state) {
  (void)state;
  for (int order = 0; order < 4; order++) {
    void *folder = NULL;
    assert_int_equal(scratch_make(&folder), 0);
    struct error error;
    struct run_log *log = two_open(folder), *late = fixture_attach(folder, log);
    struct run_log *ends = order < 2 ? log : fixture_attach(folder, log);
    shard_make(log, 1, 1);
    assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
    if (order % 2) part_adopt(log, folder, late, 2, PART_INCOMPLETE);
    if (ends == log)
      assert_ok(part_make(log, 0, 1, PART_END, &error), &error);
    else
      part_adopt(log, folder, ends, 1, PART_END);
    if (order % 2 == 0) part_adopt(log, folder, late, 2, PART_INCOMPLETE);

    assert_ok(run_log_join(log, &error), &error);
    assert_true(run_log_complete(log));
    assert_non_null(run_log_part(log, 0, 1));
    assert_true(scratch_exists(folder, "out/parts/part-00000-00001.json"));
    assert_false(scratch_exists(folder, "out/parts/part-00000-00002.json"));
    assert_false(scratch_exists(folder, "out/w8/part-00000-00002.npy.zst"));
    struct run_totals totals;
    run_log_totals(log, &totals);
    assert_int_equal(totals.parts, 3);
    if (ends != log) run_log_close(ends);
    run_log_close(late);
    run_log_close(log);
    scratch_remove(&folder);
  }
}

/* The rank that has read a shard's last block comes to its end once more, and removes the part itself. */
static void part_beyond_the_end_that_its_rank_has_removed_is_adopted(void **state) {
  struct error error;
  struct run_log *log = two_open(*state), *other = fixture_attach(*state, log);
  const struct part_summary beyond = {.border = {.shard = 0, .index = 1, .incomplete = true}};
  part_adopt(log, *state, other, 0, PART_END);
  assert_ok(part_make(other, 0, 1, PART_INCOMPLETE, &error), &error);
  assert_false(scratch_exists(*state, "out/parts/part-00000-00001.json"));
  assert_ok(run_log_adopt(log, &beyond, &error), &error);
  assert_false(run_log_shard_reaches(log, 0, 1));
  assert_int_equal(run_log_shard_blocks(log, 0), 1);
  run_log_close(other);
  run_log_close(log);
}

/* The shard was appended to by a whole block, which another rank read. */
static void part_beyond_a_shards_end_stands_in_for_no_other(void **state) {
  struct error error;
  struct run_log *log = two_open(*state), *other = fixture_attach(*state, log);
  shard_make(log, 1, 1);
  assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
  assert_ok(part_make(log, 0, 2, PART_END, &error), &error);
  part_adopt(log, *state, other, 3, PART_PLAIN);
  assert_false(run_log_complete(log));
  assert_false(scratch_exists(*state, "out/parts/part-00000-00003.json"));
  /* Nor if it cannot be removed. */
  char then[512], now[512];
  scratch_path(then, *state, "out");
  scratch_path(now, *state, "elsewhere");
  assert_int_equal(rename(then, now), 0);
  const struct part_summary beyond = {.border = {.shard = 0, .index = 3}};
  assert_false(run_log_adopt(log, &beyond, &error));
  assert_true(run_log_shard_reaches(log, 0, 3));
  assert_false(run_log_complete(log));
  run_log_close(other);
  run_log_close(log);
}

/* A shard was damaged after its last complete line. Once repaired, it ends one part earlier. */
static void parts_beyond_a_shards_end_are_removed(void **state) {
  struct run_totals totals;
  struct error error;
  struct run_log *log = two_open(*state);
  assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
  assert_ok(part_make(log, 0, 1, PART_INCOMPLETE, &error), &error);
  assert_ok(part_make(log, 0, 0, PART_END, &error), &error);
  assert_int_equal(run_log_shard_blocks(log, 0), 1);
  run_log_totals(log, &totals);
  assert_int_equal(totals.parts, 1);
  assert_int_equal(totals.incomplete, 0);
  assert_false(scratch_exists(*state, "out/parts/part-00000-00001.json"));
  assert_false(scratch_exists(*state, "out/w8/part-00000-00001.npy.zst"));
  assert_true(scratch_exists(*state, "out/w8/part-00000-00000.npy.zst"));
  run_log_close(log);
}

static void forgotten_parts_count_as_not_committed(void **state) {
  struct run_totals totals;
  struct error error;
  struct run_log *log = two_open(*state);
  assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
  assert_ok(part_make(log, 0, 1, PART_REJECTS, &error), &error);
  assert_false(run_log_shard_damaged(log, 0));
  assert_ok(part_make(log, 0, 2, PART_INCOMPLETE, &error), &error);
  assert_true(run_log_shard_damaged(log, 0));
  assert_false(run_log_shard_damaged(log, 1));
  assert_ok(run_log_forget(log, 0, 1, &error), &error);
  assert_false(run_log_shard_damaged(log, 0));
  assert_non_null(run_log_part(log, 0, 0));
  assert_null(run_log_part(log, 0, 1));
  run_log_totals(log, &totals);
  assert_int_equal(totals.parts, 1);
  assert_int_equal(totals.incomplete, 0);
  assert_false(scratch_exists(*state, "out/parts/part-00000-00001.json"));
  assert_false(scratch_exists(*state, "out/rejects/part-00000-00001.jsonl"));
  assert_false(scratch_exists(*state, "out/parts/part-00000-00002.json"));
  run_log_close(log);
}

/* A later run met the damage in the middle, or the system lost the removal of what lies behind it. */
static void shard_with_an_incomplete_part_anywhere_is_damaged(void **state) {
  struct error error;
  struct run_log *log = two_open(*state);
  assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
  assert_ok(part_make(log, 0, 1, PART_INCOMPLETE, &error), &error);
  assert_ok(part_make(log, 0, 2, PART_END, &error), &error);
  assert_true(run_log_shard_damaged(log, 0));
  struct run_log *attached = fixture_attach(*state, log);
  assert_true(run_log_shard_damaged(attached, 0));
  run_log_close(attached);
  assert_ok(part_make(log, 0, 1, PART_PLAIN, &error), &error);
  assert_false(run_log_shard_damaged(log, 0));
  run_log_close(log);
}

/* A shard was changed in its middle, and a part of it made again. Which of two parts is of the shard as it
 * is, no record can tell: both are done again, and all behind them. */
static void parts_that_contradict_each_other_are_taken_back(void **state) {
  struct part_record record;
  struct error error;
  struct run_log *log = two_open(*state);
  shard_make(log, 0, 5);
  shard_make(log, 1, 3);
  assert_ok(run_log_join(log, &error), &error);
  assert_ok(record_read(fixture_out(*state), 0, 2, &record, &error), &error);
  record.border.next_offset += 9;
  assert_ok(run_log_commit(log, &record, &error), &error);
  assert_ok(record_read(fixture_out(*state), 1, 0, &record, &error), &error);
  record.border.first_line++;
  assert_ok(run_log_commit(log, &record, &error), &error);
  assert_true(run_log_complete(log));

  assert_false(run_log_join(log, &error));
  assert_int_equal(error.code, ERROR_INPUT);
  assert_says(&error, "shard 0 (");
  assert_says(&error, "block 3 begins at line 31, byte 3000, but should at line 31, byte 3009");
  assert_says(&error, "from block 2 on have been taken back");
  for (int32_t block = 0; block < 5; block++)
    assert_int_equal(run_log_part(log, 0, block) != NULL, block < 2);
  assert_false(scratch_exists(*state, "out/parts/part-00000-00002.json"));
  assert_null(run_log_part(log, 1, 0));
  assert_false(run_log_complete(log));
  assert_ok(run_log_join(log, &error), &error);
  run_log_close(log);
}

static void finished_manifest_lists_totals_and_parts(void **state) {
  struct error error;
  struct run_log *log = two_open(*state);
  shard_make(log, 0, 2);
  assert_ok(part_make(log, 1, 0, PART_INCOMPLETE, &error), &error);
  assert_ok(run_log_finish(log, &error), &error);
  json_t *manifest = json_read(*state, "out/manifest.json");
  assert_json(manifest, "state", "\"incomplete\"");
  json_decref(manifest);

  assert_ok(part_make(log, 1, 0, PART_END, &error), &error);
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(log);
  manifest = json_read(*state, "out/manifest.json");
  assert_json(manifest, "state", "\"complete\"");
  assert_json(manifest, "parts", "[[\"00000-00000\",9],[\"00000-00001\",9],[\"00001-00000\",9]]");
  char totals[400];
  const int64_t vectors = files_bytes(*state, "out/w*/*"), ids = files_bytes(*state, "out/ids/*");
  snprintf(totals, sizeof totals,
           "{\"parts\":3,\"lines\":30,\"rows\":27,\"rejected\":0,\"truncated\":6,\"tokens\":210,\"blank\":3,"
           "\"vector_bytes\":648,\"vector_file_bytes\":%lld,\"file_bytes\":%lld,\"incomplete\":0,"
           "\"characters\":300,\"embedded\":240}",
           (long long)vectors, (long long)(vectors + ids));
  assert_json(manifest, "totals", totals);
  json_decref(manifest);
}

static void failed_run_is_not_complete_though_no_part_is_missing(void **state) {
  struct error error;
  struct run_log *log = two_open(*state);
  shard_make(log, 0, 2);
  shard_make(log, 1, 1);
  run_log_fail(log);
  assert_false(run_log_complete(log));
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(log);
  json_t *manifest = json_read(*state, "out/manifest.json");
  assert_json(manifest, "state", "\"incomplete\"");
  json_decref(manifest);
  /* The next start finds nothing wrong. */
  log = two_open(*state);
  assert_true(run_log_complete(log));
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(log);
  /* This one commits nothing, and OUT is as good as before. */
  log = two_open(*state);
  run_log_fail(log);
  assert_true(run_log_complete(log));
  run_log_close(log);
}

static void numbers_past_five_digits_keep_all_of_them(void **state) {
  struct error error;
  struct file_writer writer;
  struct run_log *log = two_open(*state);
  assert_ok(run_log_file_open(log, FOLDER_VECTORS, 8, 1, 1234567, &writer, &error), &error);
  assert_true(strstr(writer.path, "/out/w8/part-00001-1234567.npy.zst"));
  file_writer_abandon(&writer);
  run_log_close(log);
}

static void shard_that_the_run_does_not_have_is_refused(void **state) {
  struct error error;
  struct part_record record = {.border = {.shard = 2}};
  struct run_log *log = two_open(*state);
  assert_false(run_log_commit(log, &record, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  run_log_close(log);
}

/* Not another job's beginning, which would leave the user looking for that job. */
static void removed_output_is_named_as_such(void **state) {
  char then[512], now[512];
  struct error error;
  struct run_log *log = two_open(*state);
  scratch_path(then, *state, "out");
  scratch_path(now, *state, "elsewhere");
  assert_int_equal(rename(then, now), 0);
  assert_false(part_make(log, 0, 0, PART_PLAIN, &error));
  assert_int_equal(error.code, ERROR_IO);
  assert_non_null(strstr(error.message, "out was removed or moved while this job wrote to it"));
  run_log_close(log);
}

#define THREADS 3
#define THREAD_BLOCKS 2

struct committer {
  struct run_log *log;
  int first;
  struct error error;
  bool ok;
};

static void *committer_run(void *context) {
  struct committer *committer = context;
  committer->ok = true;
  /* Two threads commit each block: a rank in a dying job may commit a block again. */
  for (int i = 0; i < 2 * THREAD_BLOCKS && committer->ok; i++) {
    const int block = (committer->first * THREAD_BLOCKS + i) % (THREADS * THREAD_BLOCKS);
    const enum part_kind kind = block == THREADS * THREAD_BLOCKS - 1 ? PART_END : PART_PLAIN;
    committer->ok = part_make(committer->log, 0, block, kind, &committer->error);
    const struct block_border *border = run_log_part(committer->log, 0, block);
    if (committer->ok && (!border || border->first_offset != BLOCK_BYTES * block))
      committer->ok = error_set(&committer->error, ERROR_CONFLICT, "block %d is not there", block);
  }
  return NULL;
}

static void threads_commit_side_by_side(void **state) {
  pthread_t thread[THREADS];
  struct committer committer[THREADS];
  struct run_totals totals;
  struct run_log *log = two_open(*state);
  for (int i = 0; i < THREADS; i++) {
    committer[i] = (struct committer){.log = log, .first = i};
    assert_int_equal(pthread_create(&thread[i], NULL, committer_run, &committer[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(thread[i], NULL);
    assert_ok(committer[i].ok, &committer[i].error);
  }
  run_log_totals(log, &totals);
  assert_int_equal(totals.parts, THREADS * THREAD_BLOCKS);
  assert_int_equal(totals.lines, THREADS * THREAD_BLOCKS * BLOCK_LINES);
  assert_int_equal(run_log_shard_blocks(log, 0), THREADS * THREAD_BLOCKS);
  run_log_close(log);
}

static void shard_is_known_by_its_size_and_both_ends(void **state) {
  const size_t size = 300000;
  char *bytes = calloc(1, size);
  char path[512];
  struct error error;
  struct shard before = {.path = (char *)scratch_path(path, *state, "a.jsonl")}, after = before;
  struct digest digest;
  for (size_t length = 0; length <= 131072; length += 32768) { /* a short file is hashed whole */
    bytes[length] = 1;
    scratch_write(*state, "a.jsonl", bytes, length);
    assert_ok(shard_examine(&before, &error), &error);
    assert_ok(file_digest(path, &digest, &error), &error);
    assert_int_equal(before.size, length);
    assert_string_equal(before.fingerprint, digest.hash);
  }
  memset(bytes, 0, size);

  scratch_write(*state, "a.jsonl", bytes, size);
  assert_ok(shard_examine(&before, &error), &error);
  assert_int_equal(before.size, size);
  static const struct {
    size_t at;
    bool seen;
  } change[] = {{0, true},     {65535, true}, {65536, false}, {299999 - 65536, false}, {300000 - 65536, true},
                {299999, true}};
  for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
    bytes[change[i].at] = 1;
    scratch_write(*state, "a.jsonl", bytes, size);
    assert_ok(shard_examine(&after, &error), &error);
    assert_int_equal(strcmp(before.fingerprint, after.fingerprint) != 0, change[i].seen);
    bytes[change[i].at] = 0;
  }
  free(bytes);
}

static void standard_input_has_no_fingerprint_and_a_folder_is_no_shard(void **state) {
  struct error error;
  struct shard shard = {.path = "-"};
  assert_ok(shard_examine(&shard, &error), &error);
  assert_int_equal(shard.size, -1);
  assert_string_equal(shard.fingerprint, "");
  shard.path = *state;
  assert_false(shard_examine(&shard, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  shard.path = "/none/such";
  assert_false(shard_examine(&shard, &error));
  assert_int_equal(error.code, ERROR_IO);
}

/* Children do all the work here: one makes OUT, others commit a part. Each returns 1 if it failed, and 2 if
 * it could not open the run. */
static int begin_only(void *folder) {
  struct error error;
  struct run_log *log = fixture_open(folder, two_shards(), 2, RUN_RESUME, &error);
  run_log_close(log);
  return log ? 0 : 1;
}

static int commit_one(void *folder) {
  struct error error;
  struct run_log *log = fixture_open(folder, two_shards(), 2, RUN_RESUME, &error);
  if (!log) return 2;
  const bool ok = part_make(log, 0, 0, PART_PLAIN, &error);
  if (!ok && run_log_part(log, 0, 0)) return 3;
  run_log_close(log);
  return ok ? 0 : 1;
}

static void record_appears_after_all_else_is_synced(void **state) {
  assert_int_equal(child_run("", begin_only, *state), 0);
  /* The open syncs what holds OUT, OUT, and the folder of records, for an earlier job may have been killed
   * before it did. Three files, three folders and the record's own bytes are synced before the record
   * appears. The record's folder is synced after. */
  const int opening = 3, last = opening + 8;
  for (int n = 1; n <= last; n++) {
    char fault[32];
    snprintf(fault, sizeof fault, "sync:%d:EIO", n);
    assert_int_equal(child_run(fault, commit_one, *state), n <= opening ? 2 : 1);
    assert_int_equal(scratch_exists(*state, "out/parts/part-00000-00000.json"), n == last);
  }
  char fault[32];
  snprintf(fault, sizeof fault, "sync:%d:EIO", last + 1);
  assert_int_equal(child_run(fault, commit_one, *state), 0);
}

static int entry_is_temporary(const char *path, const struct stat *status, int kind, struct FTW *walk) {
  (void)status;
  (void)kind;
  return file_is_temporary(path + walk->base);
}

static void full_disk_fails_the_commit_and_leaves_no_temporary(void **state) {
  static const int calls[] = {3 + 3 + 2 + 1, 4}; /* three files in frames, and the record */
  assert_int_equal(child_run("", begin_only, *state), 0);
  for (int site = 0; site < 2; site++)
    for (int n = 1; n <= calls[site]; n++) {
      char fault[32];
      snprintf(fault, sizeof fault, site ? "rename:%d+:ENOSPC" : "write:%d+:ENOSPC", n);
      assert_int_equal(child_run(fault, commit_one, *state), 1);
      assert_false(scratch_exists(*state, "out/parts/part-00000-00000.json"));
      assert_int_equal(nftw(*state, entry_is_temporary, 16, FTW_PHYS), 0);
    }
  assert_int_equal(child_run("write:10+:EIO,rename:5+:EIO", commit_one, *state), 0);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      /* Tests with faults come first: see child_run. */
      IN_SCRATCH(record_appears_after_all_else_is_synced),
      IN_SCRATCH(full_disk_fails_the_commit_and_leaves_no_temporary),
      IN_SCRATCH(manifest_stands_before_the_first_part),
      IN_SCRATCH(record_holds_border_counts_and_digests),
      IN_SCRATCH(totals_add_up_over_parts),
      IN_SCRATCH(part_committed_twice_counts_once),
      IN_SCRATCH(shard_is_known_by_its_last_part),
      IN_SCRATCH(incomplete_part_counts_as_not_committed),
      IN_SCRATCH(file_that_a_part_no_longer_has_is_removed),
      IN_SCRATCH(parts_beyond_a_shards_end_are_removed),
      cmocka_unit_test(part_beyond_a_shards_end_undoes_nothing),
      IN_SCRATCH(part_beyond_the_end_that_its_rank_has_removed_is_adopted),
      IN_SCRATCH(part_beyond_a_shards_end_stands_in_for_no_other),
      IN_SCRATCH(forgotten_parts_count_as_not_committed),
      IN_SCRATCH(shard_with_an_incomplete_part_anywhere_is_damaged),
      IN_SCRATCH(parts_that_contradict_each_other_are_taken_back),
      IN_SCRATCH(finished_manifest_lists_totals_and_parts),
      IN_SCRATCH(failed_run_is_not_complete_though_no_part_is_missing),
      IN_SCRATCH(numbers_past_five_digits_keep_all_of_them),
      IN_SCRATCH(shard_that_the_run_does_not_have_is_refused),
      IN_SCRATCH(removed_output_is_named_as_such),
      IN_SCRATCH(threads_commit_side_by_side),
      IN_SCRATCH(shard_is_known_by_its_size_and_both_ends),
      IN_SCRATCH(standard_input_has_no_fingerprint_and_a_folder_is_no_shard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
