/* Starting again: which parts are kept, which are done again, and what is refused. */
#include <signal.h>

#include "tests/unit/io/run/run_fixture.h"

static struct run_log *must_open(const void *folder, const struct shard *shards, int32_t count,
                                 enum run_mode mode) {
  struct error error;
  struct run_log *log = fixture_open(folder, shards, count, mode, &error);
  assert_ok(log, &error);
  return log;
}

static void must_refuse(const void *folder, const struct shard *shards, int32_t count, enum run_mode mode,
                        const char *part) {
  struct error error;
  struct run_log *log = fixture_open(folder, shards, count, mode, &error);
  if (log) fail_msg("opened; expected \"%s\"", part);
  assert_int_equal(error.code, ERROR_CONFLICT);
  assert_says(&error, part);
}

static void must_make(struct run_log *log, int32_t shard, int32_t block, enum part_kind kind) {
  struct error error;
  assert_ok(part_make(log, shard, block, kind, &error), &error);
}

static int64_t file_inode(const void *folder, const char *name) {
  char path[512];
  struct stat status;
  assert_int_equal(stat(scratch_path(path, folder, name), &status), 0);
  return (int64_t)status.st_ino;
}

static void committed_parts_are_taken_over(void **state) {
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2)};
  struct run_totals before, after;
  struct run_log *log = must_open(*state, shards, 2, RUN_RESUME);
  must_make(log, 0, 0, PART_PLAIN);
  must_make(log, 0, 1, PART_REJECTS);
  must_make(log, 1, 0, PART_END);
  run_log_totals(log, &before);
  run_log_close(log);

  log = must_open(*state, shards, 2, RUN_RESUME);
  assert_true(run_log_resumed(log));
  run_log_totals(log, &after);
  assert_memory_equal(&before, &after, sizeof before);
  assert_non_null(run_log_part(log, 0, 0));
  assert_null(run_log_part(log, 0, 2));
  assert_int_equal(run_log_shard_blocks(log, 0), -1);
  assert_int_equal(run_log_shard_blocks(log, 1), 1);
  const struct block_border *border = run_log_part(log, 0, 1);
  assert_non_null(border);
  assert_int_equal(border->shard, 0);
  assert_int_equal(border->index, 1);
  assert_int_equal(border->first_line, 11);
  assert_int_equal(border->lines, 10);
  assert_int_equal(border->next_offset, 2000);
  assert_string_equal(border->hash, "0123456789abcdef0123456789abcdef");
  run_log_close(log);
}

static void part_with_a_missing_or_short_file_is_done_again(void **state) {
  const struct shard shard = shard_named("a", 1);
  struct run_totals totals;
  char path[512];
  struct run_log *log = must_open(*state, &shard, 1, RUN_RESUME);
  shard_make(log, 0, 4);
  run_log_close(log);
  assert_int_equal(unlink(scratch_path(path, *state, "out/w4/part-00000-00000.npy.zst")), 0);
  assert_int_equal(truncate(scratch_path(path, *state, "out/ids/part-00000-00001.jsonl.zst"), 19), 0);
  scratch_write(*state, "out/parts/part-00000-00003.json", "{\"format\": 1}", 13);

  log = must_open(*state, &shard, 1, RUN_RESUME);
  assert_null(run_log_part(log, 0, 0));
  assert_null(run_log_part(log, 0, 1));
  assert_non_null(run_log_part(log, 0, 2));
  assert_null(run_log_part(log, 0, 3));
  run_log_totals(log, &totals);
  assert_int_equal(totals.parts, 1);
  shard_make(log, 0, 4);
  assert_true(run_log_complete(log));
  run_log_totals(log, &totals);
  assert_int_equal(totals.parts, 4);
  run_log_close(log);
}

static void record_that_points_elsewhere_is_not_believed(void **state) {
  const struct shard shard = shard_named("a", 1);
  static const char *const paths[] = {
      "../part-00000-00000.npy.zst", "w8/../part-00000-00000.npy.zst",  "parts/part-00000-00000.json",
      "w8/part-00000-00001.npy.zst", "keep/part-00000-00000.npy.zst",   "w8/part-00000-00000",
      "w8/part-0-0.npy.zst",         "w8/part-00000-00000./../../kept", "/part-00000-00000.npy.zst",
  };
  char path[512], bytes[512] = "";
  struct run_log *log = must_open(*state, &shard, 1, RUN_RESUME);
  must_make(log, 0, 0, PART_PLAIN);
  run_log_close(log);
  assert_int_equal(mkdir(scratch_path(path, *state, "out/keep"), 0777), 0);
  assert_int_equal(mkdir(scratch_path(path, *state, "out/w8/part-00000-00000."), 0777), 0);
  size_t size;
  unsigned char *text = scratch_read(*state, "out/parts/part-00000-00000.json", &size);
  json_t *record = fixture_json((char *)text), *file = json_array_get(json_object_get(record, "files"), 0);
  const size_t file_size = (size_t)json_integer_value(json_object_get(file, "size"));
  assert_true(file_size <= sizeof bytes);
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    json_object_set_new(file, "path", json_string(paths[i]));
    char *forged = json_dumps(record, 0);
    scratch_write(*state, "out/parts/part-00000-00000.json", forged, strlen(forged));
    free(forged);
    /* A file with the right size exists: only its path is wrong. */
    snprintf(path, sizeof path, "out/%s", paths[i]);
    if (strncmp(paths[i], "parts/", 6) != 0) scratch_write(*state, path, bytes, file_size);
    log = must_open(*state, &shard, 1, RUN_RESUME);
    if (run_log_part(log, 0, 0)) fail_msg("%s was believed", paths[i]);
    run_log_close(log);
  }
  json_decref(record);
  free(text);
}

static void change_weights(struct fixture_request *fixture) {
  fixture->identity.model.count = 0;
  model_identity_string(&fixture->identity.model, "weights", "0b");
}

static void change_name_and_weights(struct fixture_request *fixture) {
  change_weights(fixture);
  strcpy(fixture->identity.model.name, "s\"mall");
}

static void change_widths(struct fixture_request *fixture) {
  fixture->identity.settings.widths.count = 1;
}

static void change_tokens(struct fixture_request *fixture) {
  fixture->identity.settings.max_tokens = 32;
}

static void change_field(struct fixture_request *fixture) {
  fixture->identity.settings.id_field = (char *)"query";
}

static void change_precision(struct fixture_request *fixture) {
  strcpy(fixture->class.precision, "fp32");
}

static void change_isa(struct fixture_request *fixture) {
  strcpy(fixture->class.isa, "avx2");
}

static void change_many(struct fixture_request *fixture) {
  fixture->identity.settings = (struct run_settings){.widths = {1, {8}},
                                                     .text_field = (char *)"body",
                                                     .id_field = (char *)"id",
                                                     .title_field = (char *)"title",
                                                     .prompt = (char *)"query: ",
                                                     .max_tokens = 65,
                                                     .zstd_level = 3};
}

static void other_settings_are_refused_by_name_and_values(void **state) {
  static const struct {
    void (*change)(struct fixture_request *fixture);
    const char *expected;
  } changes[] = {
      {change_weights, "model.weights: \"0a\" in the manifest, \"0b\" now"},
      {change_name_and_weights, "model.name: \"tiny\" in the manifest, \"s\\\"mall\" now; model.weights: "},
      {change_widths, "--widths: [8, 4] in the manifest, [8] now"},
      {change_tokens, "--max-tokens: 64 in the manifest, 32 now"},
      {change_field, "--id-field: null in the manifest, \"query\" now"},
      {change_precision, "--precision: \"bf16\" in the manifest, \"fp32\" now"},
      {change_isa, "compute_class.isa: nothing in the manifest, \"avx2\" now"},
      {change_many, "--title-field: null in the manifest, \"title\" now; and 6 more"},
  };
  const struct shard shard = shard_named("a", 1);
  run_log_close(must_open(*state, &shard, 1, RUN_RESUME));
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    struct error error;
    struct fixture_request fixture;
    request_make(&fixture, &shard, 1, i % 2 ? RUN_RESUME : RUN_APPEND);
    changes[i].change(&fixture);
    assert_null(run_log_open(fixture_out(*state), &fixture.request, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    assert_says(&error, changes[i].expected);
    assert_says(&error, "--overwrite");
  }
  run_log_close(must_open(*state, &shard, 1, RUN_RESUME));
}

static void model_of_another_name_is_the_same_model(void **state) {
  const struct shard shard = shard_named("a", 1);
  struct fixture_request fixture;
  struct error error;
  run_log_close(must_open(*state, &shard, 1, RUN_RESUME));
  request_make(&fixture, &shard, 1, RUN_RESUME);
  strcpy(fixture.identity.model.name, "s\"mall");
  struct run_log *log = run_log_open(fixture_out(*state), &fixture.request, &error);
  if (!log) fail_msg("%s", error.message);
  run_log_close(log);
}

static void number_of_shards_must_agree(void **state) {
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2), shard_named("c", 3)};
  run_log_close(must_open(*state, shards, 2, RUN_RESUME));
  must_refuse(*state, shards, 3, RUN_RESUME, "--append");
  must_refuse(*state, shards, 1, RUN_RESUME, "its shard 1, b, is missing");
}

static void changed_shard_is_refused(void **state) {
  struct shard shards[] = {shard_named("a", 1), shard_named("b", 100)};
  struct run_log *log = must_open(*state, shards, 2, RUN_RESUME);
  must_make(log, 1, 0, PART_PLAIN);
  run_log_close(log);
  shards[1].size = 200;
  must_refuse(*state, shards, 2, RUN_RESUME, "shard 1 (b) has changed since this run began");
  must_refuse(*state, shards, 2, RUN_APPEND, "size 100 → 200");
  shards[1].size = 100;
  shards[1].fingerprint[31] ^= 1;
  must_refuse(*state, shards, 2, RUN_RESUME, "fingerprint");
}

static void repaired_shard_goes_on(void **state) {
  struct shard shard = shard_named("a", 100);
  struct run_log *log = must_open(*state, &shard, 1, RUN_RESUME);
  must_make(log, 0, 0, PART_PLAIN);
  must_make(log, 0, 1, PART_INCOMPLETE);
  run_log_close(log);

  shard = shard_named("a", 200);
  log = must_open(*state, &shard, 1, RUN_RESUME);
  assert_non_null(run_log_part(log, 0, 0));
  assert_null(run_log_part(log, 0, 1));
  run_log_close(log);

  /* The manifest now has the new size, even if the shard has not been read to its end. */
  log = must_open(*state, &shard, 1, RUN_RESUME);
  must_make(log, 0, 1, PART_END);
  assert_true(run_log_complete(log));
  run_log_close(log);
  shard = shard_named("a", 100);
  must_refuse(*state, &shard, 1, RUN_RESUME, "size 200 → 100");
}

/* A shard changed while a later run read a block in its middle. */
static void parts_behind_the_damage_go_with_a_replaced_shard(void **state) {
  const struct shard old = shard_named("a", 100), new = shard_named("a", 200);
  struct run_log *log = must_open(*state, &old, 1, RUN_RESUME);
  must_make(log, 0, 0, PART_PLAIN);
  must_make(log, 0, 1, PART_INCOMPLETE);
  must_make(log, 0, 2, PART_PLAIN);
  must_make(log, 0, 3, PART_END);
  run_log_close(log);

  /* If the old one is back, its other parts count. */
  log = must_open(*state, &old, 1, RUN_RESUME);
  assert_null(run_log_part(log, 0, 1));
  assert_non_null(run_log_part(log, 0, 3));
  run_log_close(log);

  log = must_open(*state, &new, 1, RUN_RESUME);
  assert_true(run_log_shard_damaged(log, 0));
  assert_non_null(run_log_part(log, 0, 0)); /* the reader compares it */
  for (int32_t block = 1; block < 4; block++) assert_null(run_log_part(log, 0, block));
  assert_int_equal(run_log_shard_blocks(log, 0), -1);
  run_log_close(log);
}

static void moved_shard_is_the_same_shard(void **state) {
  struct shard shard = shard_named("/old/a", 100);
  struct run_log *log = must_open(*state, &shard, 1, RUN_RESUME);
  must_make(log, 0, 0, PART_END);
  run_log_close(log);
  shard = shard_named("/new/a", 100);
  log = must_open(*state, &shard, 1, RUN_RESUME);
  assert_non_null(run_log_part(log, 0, 0));
  int32_t count;
  assert_string_equal(run_log_shards(log, &count)[0].path, "/new/a");
  run_log_close(log);
}

static void append_adds_new_shards_at_the_end(void **state) {
  const struct shard first[] = {shard_named("b", 2), shard_named("a", 1)};
  const struct shard then[] = {shard_named("a", 1), shard_named("c", 3), shard_named("b", 2),
                               shard_named("d", 4)};
  struct error error;
  int32_t count;
  struct run_log *log = must_open(*state, first, 2, RUN_APPEND);
  shard_make(log, 0, 1);
  shard_make(log, 1, 1);
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(log);

  log = must_open(*state, then, 4, RUN_APPEND);
  const struct shard *shards = run_log_shards(log, &count);
  assert_int_equal(count, 4);
  static const char *const expected[] = {"b", "a", "c", "d"};
  for (int i = 0; i < 4; i++) assert_string_equal(shards[i].path, expected[i]);
  assert_false(run_log_complete(log));
  assert_non_null(run_log_part(log, 1, 0));
  shard_make(log, 2, 1);
  run_log_close(log);

  /* A resume recognises one shard given alone, and accepts the longer list too. */
  log = must_open(*state, &then[1], 1, RUN_APPEND);
  run_log_shards(log, &count);
  assert_int_equal(count, 4);
  assert_non_null(run_log_part(log, 2, 0));
  run_log_close(log);
  must_refuse(*state, first, 2, RUN_RESUME, "has 4");
}

static void complete_run_is_left_as_it_is(void **state) {
  const struct shard shard = shard_named("a", 1);
  struct error error;
  struct run_log *log = must_open(*state, &shard, 1, RUN_RESUME);
  shard_make(log, 0, 2);
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(log);
  const int64_t inode = file_inode(*state, "out/manifest.json");
  log = must_open(*state, &shard, 1, RUN_RESUME);
  assert_true(run_log_complete(log));
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(log);
  assert_int_equal(file_inode(*state, "out/manifest.json"), inode);

  /* Once a file is lost, the run counts as running again. */
  char path[512];
  assert_int_equal(unlink(scratch_path(path, *state, "out/w8/part-00000-00001.npy.zst")), 0);
  log = must_open(*state, &shard, 1, RUN_RESUME);
  assert_false(run_log_complete(log));
  run_log_close(log);
  struct manifest *manifest;
  assert_ok(manifest_read(fixture_out(*state), &manifest, &error), &error);
  assert_int_equal(manifest->state, MANIFEST_RUNNING);
  manifest_free(manifest);
}

static void overwrite_removes_the_run_and_nothing_else(void **state) {
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2)};
  struct error error;
  struct run_log *log = must_open(*state, shards, 2, RUN_RESUME);
  must_make(log, 0, 0, PART_REJECTS);
  must_make(log, 1, 0, PART_END);
  run_log_close(log);
  scratch_write(*state, "out/notes.txt", "mine", 4);
  scratch_write(*state, "out/w8/notes.txt", "mine", 4);

  struct fixture_request fixture;
  request_make(&fixture, shards, 1, RUN_OVERWRITE);
  fixture.identity.settings.widths = (struct width_list){1, {16}};
  fixture.identity.settings.store_text = true;
  log = run_log_open(fixture_out(*state), &fixture.request, &error);
  assert_ok(log, &error);
  assert_false(run_log_resumed(log));
  assert_null(run_log_part(log, 1, 0));
  static const char *const gone[] = {
      "out/parts/part-00000-00000.json",    "out/parts/part-00001-00000.json",
      "out/w8/part-00000-00000.npy.zst",    "out/ids/part-00001-00000.jsonl.zst",
      "out/rejects/part-00000-00000.jsonl", "out/w4"};
  static const char *const there[] = {"out/notes.txt", "out/w8/notes.txt", "out/w16/.", "out/text/.",
                                      "out/manifest.json"};
  for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) assert_false(scratch_exists(*state, gone[i]));
  for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) assert_true(scratch_exists(*state, there[i]));
  run_log_close(log);
}

static void folder_of_somebody_else_is_refused(void **state) {
  const struct shard shard = shard_named("a", 1);
  char path[512];
  assert_int_equal(mkdir(scratch_path(path, *state, "out"), 0777), 0);
  assert_int_equal(mkdir(scratch_path(path, *state, "out/ids"), 0777), 0);
  scratch_write(*state, "out/ids/thesis.tex", "", 0);
  for (int mode = RUN_RESUME; mode <= RUN_OVERWRITE; mode++)
    must_refuse(*state, &shard, 1, (enum run_mode)mode, "ids/thesis.tex");
  assert_int_equal(unlink(scratch_path(path, *state, "out/ids/thesis.tex")), 0);
  scratch_write(*state, "out/.manifest.json.elsewhere-1-2.tmp", "{", 1);
  run_log_close(must_open(*state, &shard, 1, RUN_RESUME));
}

static void damaged_or_newer_manifest_is_refused(void **state) {
  static const struct {
    const char *text, *part;
  } wrong[] = {
      {"", "manifest.json"},
      {"[]", "no format"},
      {"{\"format\": 2}", "newer version"},
      {"{\"format\": 1, \"model\": {}, \"settings\": {}, \"compute_class\": {}}", "missing"},
      {"{\"format\": 1, \"nina\": \"0\", \"state\": \"running\", \"model\": {\"name\": \"tiny\", "
       "\"weights\": \"0a\"}, "
       "\"settings\": {\"widths\": [8, 4], \"store_text\": false}, "
       "\"compute_class\": {\"encoder\": \"null\", \"precision\": \"bf16\"}, \"shards\": [{\"path\": "
       "\"a\"}]}",
       "shard 0"}};
  const struct shard shard = shard_named("a", 1);
  run_log_close(must_open(*state, &shard, 1, RUN_RESUME));
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct error error;
    scratch_write(*state, "out/manifest.json", wrong[i].text, strlen(wrong[i].text));
    assert_null(fixture_open(*state, &shard, 1, RUN_RESUME, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_says(&error, wrong[i].part);
  }
}

static void path_that_is_not_utf8_is_refused_by_name(void **state) {
  const struct shard shard = shard_named("caf\xe9.jsonl", 1);
  struct error error;
  assert_null(fixture_open(*state, &shard, 1, RUN_RESUME, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  assert_says(&error, "UTF-8");
  assert_false(scratch_exists(*state, "out/manifest.json"));
}

/* Does a whole run in a child: two shards, three parts. Returns 1 if something failed. */
static int run_whole(void *folder) {
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2)};
  static const enum part_kind kinds[2][2] = {{PART_REJECTS, PART_END}, {PART_END, PART_END}};
  struct error error;
  struct run_log *log = fixture_open(folder, shards, 2, RUN_RESUME, &error);
  if (!log) return 1;
  bool ok = true;
  for (int32_t shard = 0; shard < 2; shard++)
    for (int32_t block = 0; block < 2 - shard && ok; block++)
      if (!run_log_part(log, shard, block)) ok = part_make(log, shard, block, kinds[shard][block], &error);
  ok = ok && run_log_finish(log, &error);
  run_log_close(log);
  return ok ? 0 : 1;
}

/* A sum over all files: FNV-1a over each file's name and bytes. The same files give the same sum in any
 * order. */
static uint64_t tree_sum;
static int entry_sum(const char *path, const struct stat *status, int kind, struct FTW *walk) {
  (void)status;
  if (kind != FTW_F) return 0;
  uint64_t hash = 1469598103934665603u;
  FILE *file = fopen(path, "rb");
  for (const char *name = path + walk->base; *name; name++)
    hash = (hash ^ (unsigned char)*name) * 1099511628211u;
  for (int byte; file && (byte = getc(file)) != EOF;) hash = (hash ^ (uint64_t)byte) * 1099511628211u;
  if (file) fclose(file);
  tree_sum += hash;
  return 0;
}

static uint64_t out_sum(const void *folder) {
  tree_sum = 0;
  assert_int_equal(nftw(fixture_out(folder), entry_sum, 16, FTW_PHYS), 0);
  return tree_sum;
}

static void out_remove(const void *folder) {
  assert_int_equal(nftw(fixture_out(folder), scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void death_at_any_rename_loses_nothing_and_doubles_nothing(void **state) {
  assert_int_equal(child_run("", run_whole, *state), 0);
  const uint64_t expected = out_sum(*state);
  out_remove(*state);
  /* Each life dies one rename later than the life before and continues from what that life left. Deaths fall
   * in the manifest, between files, before a record and after one. */
  int lives = 0;
  for (int n = 1; n <= 15; n++) {
    char fault[32];
    snprintf(fault, sizeof fault, "rename:%d:kill", n);
    const int result = child_run(fault, run_whole, *state);
    if (result == 0) break;
    assert_int_equal(result, -SIGKILL);
    lives++;
  }
  assert_true(lives >= 3);
  assert_int_equal(child_run("", run_whole, *state), 0);
  assert_true(out_sum(*state) == expected);
}

static void failure_at_any_sync_is_reported_and_the_next_start_completes(void **state) {
  assert_int_equal(child_run("", run_whole, *state), 0);
  const uint64_t expected = out_sum(*state);
  out_remove(*state);
  int lives = 0, result = 1;
  for (int n = 1; result != 0; n += 2, lives++) {
    char fault[32];
    snprintf(fault, sizeof fault, "sync:%d:EIO", n);
    result = child_run(fault, run_whole, *state);
    assert_true(result == 0 || result == 1);
  }
  assert_true(lives > 3);
  assert_true(out_sum(*state) == expected);
}

static int run_over(void *folder) {
  const struct shard shards[] = {shard_named("a", 1), shard_named("b", 2)};
  struct error error;
  struct run_log *log = fixture_open(folder, shards, 2, RUN_OVERWRITE, &error);
  run_log_close(log);
  return log ? 0 : 1;
}

static void overwrite_cut_short_leaves_no_valid_part(void **state) {
  assert_int_equal(child_run("", run_whole, *state), 0);
  /* The first sync is of what holds OUT. */
  assert_int_equal(child_run("sync:2:EIO", run_over, *state), 1);
  assert_false(scratch_exists(*state, "out/parts/part-00000-00000.json"));
  assert_false(scratch_exists(*state, "out/parts/part-00001-00000.json"));
  assert_true(scratch_exists(*state, "out/w8/part-00000-00000.npy.zst"));
  assert_true(scratch_exists(*state, "out/manifest.json"));
  assert_int_equal(child_run("", run_over, *state), 0);
  assert_false(scratch_exists(*state, "out/w8/part-00000-00000.npy.zst"));
}

/* Shard 0 is damaged, and has a part behind the damage. */
static int run_damaged(void *folder) {
  const struct shard shards[] = {shard_named("a", 100), shard_named("b", 200)};
  static const enum part_kind kinds[] = {PART_PLAIN, PART_INCOMPLETE, PART_PLAIN};
  struct error error;
  struct run_log *log = fixture_open(folder, shards, 2, RUN_RESUME, &error);
  bool ok = log != NULL;
  for (int32_t block = 0; block < 3 && ok; block++) ok = part_make(log, 0, block, kinds[block], &error);
  run_log_close(log);
  return ok ? 0 : 1;
}

/* The shards stand in another order too. Returns 1 if the part behind the damage cannot be read, 2 if
 * something else cannot, 0 if there is no such failure. */
static int resume_in_another_order(void *folder) {
  const struct shard shards[] = {shard_named("b", 200), shard_named("a", 100)};
  struct error error;
  struct run_log *log = fixture_open(folder, shards, 2, RUN_RESUME, &error);
  if (log || error.code != ERROR_IO) return 0;
  return strstr(error.message, "part-00000-00002") ? 1 : 2;
}

static void failure_to_take_a_part_back_is_told_as_it_is(void **state) {
  int of_part = 0, result = 2;
  assert_int_equal(child_run("", run_damaged, *state), 0);
  for (int n = 1; result != 0; n++) {
    char fault[32];
    snprintf(fault, sizeof fault, "read:%d:EIO", n);
    result = child_run(fault, resume_in_another_order, *state);
    of_part += result == 1;
  }
  assert_int_equal(of_part, 4); /* for the table of parts and before it goes; each time to the file's end */
}

/* The damaged shard was replaced. Returns how many of its parts are there, 100 after a failure, and 101 if it
 * is told of the folder of records. */
static int resume_with_another(void *folder) {
  const struct shard shards[] = {shard_named("a", 300), shard_named("b", 200)};
  struct error error;
  struct run_log *log = fixture_open(folder, shards, 2, RUN_RESUME, &error);
  if (!log) return strstr(error.message, "/out/" RECORD_FOLDER) ? 101 : 100;
  struct run_totals totals;
  run_log_totals(log, &totals);
  run_log_close(log);
  return (int)totals.parts;
}

static void parts_are_gone_for_good_before_the_manifest_has_another_shard(void **state) {
  assert_int_equal(child_run("", run_damaged, *state), 0);
  /* What holds OUT, OUT, the folder of records as it was found, then without the part behind the damage. */
  const int last = 4;
  const int64_t manifest = file_inode(*state, "out/manifest.json");
  for (int n = 1; n <= last; n++) {
    char fault[32];
    snprintf(fault, sizeof fault, "sync:%d+:EIO", n);
    assert_int_equal(child_run(fault, resume_with_another, *state), n < last - 1 ? 100 : 101);
    assert_int_equal(scratch_exists(*state, "out/parts/part-00000-00002.json"), n < last);
    assert_int_equal(file_inode(*state, "out/manifest.json"), manifest);
  }
  assert_int_equal(child_run("", resume_with_another, *state), 2);
}

/* Shard 0 is damaged in its second block; what was read of it has a reject. */
static int run_to_the_damage(void *folder) {
  const struct shard shard = shard_named("a", 100);
  struct error error;
  struct run_log *log = fixture_open(folder, &shard, 1, RUN_RESUME, &error);
  const bool ok = log && part_make(log, 0, 0, PART_REJECTS, &error) &&
                  part_make(log, 0, 1, PART_PLAIN, &error) && part_make(log, 0, 2, PART_INCOMPLETE, &error) &&
                  run_log_finish(log, &error);
  run_log_close(log);
  return ok ? 0 : 1;
}

/* Once repaired, it ends with its first block, which has no reject any more. */
static int run_repaired(void *folder) {
  const struct shard shard = shard_named("a", 50);
  struct error error;
  struct run_log *log = fixture_open(folder, &shard, 1, RUN_RESUME, &error);
  bool ok = log != NULL;
  if (ok && run_log_shard_damaged(log, 0)) ok = run_log_forget(log, 0, 0, &error);
  if (ok && !run_log_complete(log)) ok = part_make(log, 0, 0, PART_END, &error);
  ok = ok && run_log_finish(log, &error);
  run_log_close(log);
  return ok ? 0 : 1;
}

static void death_at_any_removal_leaves_no_file_that_no_record_names(void **state) {
  assert_int_equal(child_run("", run_repaired, *state), 0);
  const uint64_t expected = out_sum(*state);
  int result = -SIGKILL, deaths = -1;
  for (int n = 1; result != 0; n++, deaths++) {
    char fault[32];
    out_remove(*state);
    assert_int_equal(child_run("", run_to_the_damage, *state), 0);
    scratch_write(*state, "out/w8/part-00000-00002.npy.zst.mine", "x", 1);
    snprintf(fault, sizeof fault, "discard:%d:kill", n);
    result = child_run(fault, run_repaired, *state);
    if (result != 0) assert_int_equal(result, -SIGKILL);
    assert_int_equal(child_run("", run_repaired, *state), 0);
    assert_true(scratch_exists(*state, "out/w8/part-00000-00002.npy.zst.mine")); /* no file of a part */
    char path[512];
    assert_int_equal(unlink(scratch_path(path, *state, "out/w8/part-00000-00002.npy.zst.mine")), 0);
    assert_true(out_sum(*state) == expected);
  }
  assert_int_equal(deaths, 3 * 4 + 1); /* three parts with a record and three files, one with a reject */
}

/* A later commit of a part may have no rejects; the job dies before it removes those of the earlier one. */
static void left_rejects_go_before_the_run_is_complete(void **state) {
  const struct shard shard = shard_named("a", 100);
  struct error error;
  struct run_log *log = must_open(*state, &shard, 1, RUN_RESUME);
  must_make(log, 0, 0, PART_END);
  scratch_write(*state, "out/rejects/part-00000-00000.jsonl", "x", 1);
  assert_ok(run_log_finish(log, &error), &error);
  assert_false(scratch_exists(*state, "out/rejects/part-00000-00000.jsonl"));
  run_log_close(log);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      /* Tests with faults come first: see child_run. */
      IN_SCRATCH(death_at_any_rename_loses_nothing_and_doubles_nothing),
      IN_SCRATCH(failure_at_any_sync_is_reported_and_the_next_start_completes),
      IN_SCRATCH(overwrite_cut_short_leaves_no_valid_part),
      IN_SCRATCH(failure_to_take_a_part_back_is_told_as_it_is),
      IN_SCRATCH(parts_are_gone_for_good_before_the_manifest_has_another_shard),
      IN_SCRATCH(death_at_any_removal_leaves_no_file_that_no_record_names),
      IN_SCRATCH(committed_parts_are_taken_over),
      IN_SCRATCH(part_with_a_missing_or_short_file_is_done_again),
      IN_SCRATCH(record_that_points_elsewhere_is_not_believed),
      IN_SCRATCH(other_settings_are_refused_by_name_and_values),
      IN_SCRATCH(model_of_another_name_is_the_same_model),
      IN_SCRATCH(number_of_shards_must_agree),
      IN_SCRATCH(changed_shard_is_refused),
      IN_SCRATCH(repaired_shard_goes_on),
      IN_SCRATCH(parts_behind_the_damage_go_with_a_replaced_shard),
      IN_SCRATCH(moved_shard_is_the_same_shard),
      IN_SCRATCH(append_adds_new_shards_at_the_end),
      IN_SCRATCH(complete_run_is_left_as_it_is),
      IN_SCRATCH(left_rejects_go_before_the_run_is_complete),
      IN_SCRATCH(overwrite_removes_the_run_and_nothing_else),
      IN_SCRATCH(folder_of_somebody_else_is_refused),
      IN_SCRATCH(damaged_or_newer_manifest_is_refused),
      IN_SCRATCH(path_that_is_not_utf8_is_refused_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
