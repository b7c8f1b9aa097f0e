/* What a manifest says, byte for byte, and what we make from a manifest that another version wrote. */
#include "io/run/job_folder.h"
#include "tests/unit/io/run/failing_memory.h"
#include "tests/unit/io/run/run_fixture.h"

#define HEAD "{\n \"format\": 1,\n \"nina\": \"0.1.0\",\n \"state\": "
#define MODEL "\n \"model\": {\n  \"name\": \"m\\\"1\",\n  \"weights\": \"0a\",\n  \"tokenizer\": \"0b\"},"
#define SETTINGS                                                                                          \
  "\n \"settings\": {\n  \"widths\": [8, 4],\n  \"text_field\": \"text\",\n  \"id_field\": null,\n"       \
  "  \"title_field\": \"títol\",\n  \"prompt\": \"passage: \",\n  \"max_tokens\": 512,\n"                \
  "  \"max_line\": 134217728,\n  \"block_lines\": 2048,\n  \"block_bytes\": 1048576,\n  \"zstd_level\": " \
  "1,\n"                                                                                                  \
  "  \"store_text\": true,\n  \"keep_fields\": null,\n  \"hashes\": false},"
#define CLASS                                                                                            \
  "\n \"compute_class\": {\n  \"encoder\": \"cpu\",\n  \"precision\": \"fp32\",\n  \"isa\": \"avx2\",\n" \
  "  \"onednn\": \"2.6.0\",\n  \"onednn_isa\": \"avx2\",\n  \"batch_tokens\": 1024},"
#define MIXED                                                                                 \
  "\n \"compute_class\": {\n  \"mixed\": [{\"encoder\": \"null\", \"batch_tokens\": 16384}, " \
  "{\"encoder\": \"null\", \"batch_tokens\": 2000}]},"
#define SHARDS                                                                            \
  "\n \"shards\": [\n  {\"path\": \"a.jsonl\", \"size\": 12, \"fingerprint\": \"0f\"},\n" \
  "  {\"path\": \"-\", \"size\": -1, \"fingerprint\": \"\"}]"
#define TOTALS                                                                                \
  ",\n \"totals\": {\n  \"parts\": 2,\n  \"lines\": 6,\n  \"rows\": 5,\n  \"rejected\": 1,\n" \
  "  \"truncated\": 0,\n  \"tokens\": 40,\n  \"blank\": 0,\n  \"vector_bytes\": 120,\n"       \
  "  \"vector_file_bytes\": 99,\n  \"file_bytes\": 200,\n  \"incomplete\": 0,\n"              \
  "  \"characters\": 900,\n  \"embedded\": 700},\n"                                           \
  " \"parts\": [\n  [\"00000-00000\", 3],\n  [\"00001-123456\", 2]]"
#define RUNNING HEAD "\"running\"," MODEL SETTINGS CLASS SHARDS "\n}\n"
#define COMPLETE HEAD "\"complete\"," MODEL SETTINGS MIXED SHARDS TOTALS "\n}\n"

static struct manifest *must_parse(const char *text) {
  struct manifest *manifest;
  struct error error;
  assert_ok(manifest_parse(text, strlen(text), &manifest, &error), &error);
  return manifest;
}

static void manifest_is_written_as_it_was_read(void **state) {
  (void)state;
  static const char *const texts[] = {RUNNING, COMPLETE};
  for (size_t i = 0; i < 2; i++) {
    struct manifest *manifest = must_parse(texts[i]);
    struct error error;
    char *text;
    size_t size;
    assert_ok(manifest_print(manifest, &text, &size, &error), &error);
    assert_string_equal(text, texts[i]);
    assert_int_equal(size, strlen(text));
    free(text);
    manifest_free(manifest);
  }
}

static void every_member_is_read(void **state) {
  (void)state;
  struct manifest *manifest = must_parse(COMPLETE);
  const struct run_settings *settings = &manifest->identity.settings;
  assert_string_equal(manifest->version, "0.1.0");
  assert_int_equal(manifest->state, MANIFEST_COMPLETE);
  assert_string_equal(manifest->identity.model.name, "m\"1");
  assert_string_equal(model_identity_member(&manifest->identity.model, "weights"), "\"0a\"");
  assert_int_equal(settings->widths.count, 2);
  assert_int_equal(settings->widths.width[1], 4);
  assert_null(settings->id_field);
  assert_string_equal(settings->title_field, "títol");
  assert_int_equal(settings->block_bytes, 1 << 20);
  assert_true(settings->store_text);
  assert_int_equal(manifest->identity.compute.count, 2);
  assert_int_equal(manifest->identity.compute.item[1].batch_tokens, 2000);
  assert_int_equal(compute_classes_shared(&manifest->identity.compute).batch_tokens, 16384);
  assert_int_equal(manifest->shards.count, 2);
  assert_int_equal(manifest->shards.shard[1].size, -1);
  assert_true(manifest->finished);
  assert_int_equal(manifest->totals.vector_file_bytes, 99);
  assert_int_equal(manifest->part_count, 2);
  assert_int_equal(manifest->parts[1].block, 123456);
  assert_int_equal(manifest->parts[1].rows, 2);
  manifest_free(manifest);
}

#define SMALL(settings, class)                                                                            \
  "{\"format\": 1, \"nina\": \"0\", \"state\": \"running\", \"model\": {\"name\": \"m\"}, \"settings\": " \
  "{" settings "}, \"compute_class\": {" class "}, \"shards\": []}"

static void setting_that_an_older_manifest_lacks_means_its_default(void **state) {
  (void)state;
  struct manifest *manifest = must_parse(SMALL("\"widths\": [8]", "\"encoder\": \"null\""));
  const struct run_settings *settings = &manifest->identity.settings;
  assert_string_equal(settings->text_field, "text");
  assert_string_equal(settings->prompt, "");
  assert_null(settings->title_field);
  assert_int_equal(settings->block_lines, 0);
  assert_false(settings->store_text);
  assert_string_equal(manifest->identity.compute.item[0].precision, "");
  manifest_free(manifest);
}

static void what_this_version_does_not_understand_is_refused_by_name(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {SMALL("\"later\": 64", ""), "settings.later is not known"},
      {SMALL("", "\"later\": 1"), "compute_class.later is not known"},
      {SMALL("", "\"mixed\": [{}, {\"later\": 1}]"), "compute_class.later is not known"},
      {SMALL("", "\"mixed\": [{}]"), "compute_class.mixed"},
      {SMALL("", "\"mixed\": 3"), "compute_class.mixed"},
      {SMALL("\"widths\": [1048577]", ""), "settings.widths"},
      {SMALL("\"widths\": [4, 8]", ""), "settings.widths"},
      {SMALL("\"widths\": 8", ""), "settings.widths"},
      {SMALL("\"max_tokens\": -1", ""), "settings.max_tokens"},
      {SMALL("\"max_tokens\": 2147483648", ""), "settings.max_tokens"},
      {SMALL("\"max_line\": 9007199254740993", ""), "settings.max_line"},
      {SMALL("\"prompt\": 1", ""), "settings.prompt"},
      {SMALL("\"store_text\": 1", ""), "settings.store_text"},
      {SMALL("", "\"encoder\": \"a name with more characters than encoders have\""), "compute_class.encoder"},
      {SMALL("", "\"encoder\": null"), "compute_class.encoder"},
      {"{\"format\": 1, \"nina\": \"0\", \"state\": \"later\", \"model\": {}, \"settings\": {}, "
       "\"compute_class\": {}, \"shards\": []}",
       "state \"later\""},
      {"{\"format\": 2, \"nina\": \"9\", \"state\": \"complete\", \"model\": {}, \"settings\": {}, "
       "\"compute_class\": {}, \"shards\": []}",
       "a newer version of this program wrote it"},
      {"{\"format\": 1, \"nina\": \"0\", \"state\": \"running\", \"model\": {}, \"settings\": {}, "
       "\"compute_class\": {}, \"shards\": [{\"path\": \"a\", \"size\": 1, "
       "\"fingerprint\": \"0123456789abcdef0123456789abcdef0\"}]}",
       "shard 0 has no path, size or fingerprint"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct manifest *manifest;
    struct error error = {0};
    if (manifest_parse(cases[i][0], strlen(cases[i][0]), &manifest, &error)) fail_msg("%s", cases[i][0]);
    assert_null(manifest);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_says(&error, cases[i][1]);
  }
}

/* If an allocation fails, any file that has its final name is complete. */
static void memory_that_runs_short_leaves_no_torn_manifest(void **state) {
  enum { PARTS = 3000 }; /* enough to make the text grow a few times */
  struct manifest *manifest = must_parse(COMPLETE);
  struct error error;
  const char *out = *state;
  char *job = job_folder_take(out, &error), *expected;
  size_t size;
  assert_ok(job, &error);
  free(manifest->parts);
  manifest->parts = calloc(PARTS, sizeof *manifest->parts);
  manifest->part_count = PARTS;
  assert_ok(manifest_print(manifest, &expected, &size, &error), &error);
  int failures = 0;
  for (bool written = false; !written;) {
    memory_fails_at(failures + 1);
    written = manifest_write(job, out, manifest, &error);
    memory_fails_at(0);
    if (written) break;
    failures++;
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_false(scratch_exists(out, "manifest.json"));
  }
  assert_true(failures >= 5);
  unsigned char *text = scratch_read(out, "manifest.json", &size);
  assert_string_equal((char *)text, expected);
  free(expected);
  free(text);
  job_folder_leave(job);
  manifest_free(manifest);
}

static void memory_that_runs_short_leaves_no_torn_record(void **state) {
  const struct shard shard = shard_named("a", 1);
  struct error error;
  struct run_log *log = fixture_open(*state, &shard, 1, RUN_RESUME, &error);
  assert_ok(log, &error);
  int failures = 0;
  for (bool written = false; !written;) {
    memory_fails_at(failures + 1);
    written = part_make(log, 0, 0, PART_REJECTS, &error);
    memory_fails_at(0);
    if (written) break;
    failures++;
    assert_int_equal(error.code, ERROR_MEMORY);
    if (!scratch_exists(*state, "out/parts/part-00000-00000.json")) continue;
    struct part_record record; /* the record was written, then a later step failed */
    assert_ok(record_read(fixture_out(*state), 0, 0, &record, &error), &error);
  }
  assert_true(failures >= 2);
  run_log_close(log);
}

int main(void) {
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(manifest_is_written_as_it_was_read),
      cmocka_unit_test(every_member_is_read),
      cmocka_unit_test(setting_that_an_older_manifest_lacks_means_its_default),
      cmocka_unit_test(what_this_version_does_not_understand_is_refused_by_name),
      IN_SCRATCH(memory_that_runs_short_leaves_no_torn_manifest),
      IN_SCRATCH(memory_that_runs_short_leaves_no_torn_record),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
