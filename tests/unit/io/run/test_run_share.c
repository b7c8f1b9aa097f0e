#include "tests/unit/io/run/run_fixture.h"

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

/* A run with two shards: the first has blocks 0 and 2, the second has all its blocks. */
static struct run_log *begin(const void *folder) {
  const struct shard shards[] = {shard_named("a", 10), shard_named("b", 20)};
  struct error error;
  struct run_log *log = fixture_open(folder, shards, 2, RUN_RESUME, &error);
  assert_non_null(log);
  assert_ok(part_make(log, 0, 0, PART_PLAIN, &error), &error);
  assert_ok(part_make(log, 0, 2, PART_PLAIN, &error), &error);
  shard_make(log, 1, 2);
  return log;
}

static void attached_log_knows_shards_and_parts(void **state) {
  struct run_log *log = begin(*state), *attached = fixture_attach(*state, log);
  int32_t count;
  const struct shard *shards = run_log_shards(attached, &count);
  struct run_totals totals[2];
  assert_int_equal(count, 2);
  assert_string_equal(shards[1].path, "b");
  assert_int_equal(shards[1].size, 20);
  assert_string_equal(shards[1].fingerprint, shard_named("b", 20).fingerprint);
  assert_non_null(run_log_part(attached, 0, 0));
  assert_null(run_log_part(attached, 0, 1));
  assert_non_null(run_log_part(attached, 0, 2));
  assert_int_equal(run_log_shard_blocks(attached, 1), 2);
  run_log_totals(log, &totals[0]);
  run_log_totals(attached, &totals[1]);
  assert_memory_equal(&totals[0], &totals[1], sizeof totals[0]);
  run_log_close(attached);
  run_log_close(log);
}

static void adopted_parts_complete_the_run(void **state) {
  struct run_log *log = begin(*state), *attached = fixture_attach(*state, log);
  struct error error;
  for (int32_t block = 1; block < 4; block += 2) {
    assert_ok(part_make(attached, 0, block, block == 3 ? PART_END : PART_PLAIN, &error), &error);
    assert_false(run_log_complete(log));
    const struct part_summary summary = {.border = *run_log_part(attached, 0, block), .sums = {.rows = 9}};
    assert_ok(run_log_adopt(log, &summary, &error), &error);
  }
  assert_true(run_log_complete(log));
  assert_ok(run_log_finish(log, &error), &error);
  run_log_close(attached);
  run_log_close(log);
}

static void adopted_end_of_a_shard_drops_what_lay_beyond(void **state) {
  struct run_log *log = begin(*state);
  const struct part_summary end = {.border = {.shard = 0, .index = 1, .end_of_shard = true}};
  struct error error;
  assert_ok(run_log_adopt(log, &end, &error), &error);
  assert_null(run_log_part(log, 0, 2));
  assert_int_equal(run_log_shard_blocks(log, 0), 2);
  run_log_close(log);
}

static void attached_log_leaves_the_run_as_a_whole_alone(void **state) {
  struct run_log *log = begin(*state), *attached = fixture_attach(*state, log);
  struct error error;
  char path[512];
  assert_int_equal(remove(scratch_path(path, *state, "out/manifest.json")), 0);
  assert_ok(run_log_finish(attached, &error), &error);
  assert_false(scratch_exists(*state, "out/manifest.json"));
  assert_ok(run_log_forget(attached, 0, 0, &error), &error);
  assert_null(run_log_part(attached, 0, 2));
  assert_true(scratch_exists(*state, "out/parts/part-00000-00002.json"));
  run_log_close(attached);
  run_log_close(log);
}

static void torn_pack_is_refused(void **state) {
  struct run_log *log = begin(*state);
  struct error error;
  void *pack;
  size_t size;
  assert_ok(run_log_pack(log, &pack, &size, &error), &error);
  for (size_t cut = 0; cut < size; cut += 7) {
    /* A copy with exactly this size shows the sanitizer a read past its end. */
    char *torn = malloc(cut + 1);
    assert_non_null(torn);
    memcpy(torn, pack, cut);
    assert_null(run_log_attach(fixture_out(*state), torn, cut, &error));
    free(torn);
  }
  ((char *)pack)[0] = '9';
  assert_null(run_log_attach(fixture_out(*state), pack, size, &error));
  assert_says(&error, "another version");
  free(pack);
  run_log_close(log);
}

static void mixed_run_takes_another_class_and_says_so(void **state) {
  const struct shard shard = shard_named("a", 1);
  struct fixture_request fixture;
  struct error error;
  request_make(&fixture, &shard, 1, RUN_RESUME);
  run_log_close(run_log_open(fixture_out(*state), &fixture.request, &error));
  strcpy(fixture.class.precision, "fp32");
  assert_null(run_log_open(fixture_out(*state), &fixture.request, &error));
  assert_says(&error, "--precision: ");
  fixture.request.mixed = true;
  struct run_log *log = run_log_open(fixture_out(*state), &fixture.request, &error);
  assert_non_null(log);
  run_log_close(log);
  struct manifest *manifest;
  assert_ok(manifest_read(fixture_out(*state), &manifest, &error), &error);
  assert_true(compute_classes_equal(&manifest->identity.compute, &fixture.identity.compute));
  manifest_free(manifest);
}

static void hashes_and_a_models_vectors_are_never_mixed(void **state) {
  static const char *const encoders[][2] = {{"null", "cpu"}, {"cpu", "null"}};
  const struct shard shard = shard_named("a", 1);
  for (int i = 0; i < 2; i++) {
    struct fixture_request fixture;
    struct error error;
    request_make(&fixture, &shard, 1, RUN_OVERWRITE);
    strcpy(fixture.class.encoder, encoders[i][0]);
    run_log_close(run_log_open(fixture_out(*state), &fixture.request, &error));
    fixture.request.mode = RUN_RESUME;
    fixture.request.mixed = true;
    strcpy(fixture.class.encoder, encoders[i][1]);
    assert_null(run_log_open(fixture_out(*state), &fixture.request, &error));
    assert_says(&error, "--device: ");
    assert_int_equal(error.code, ERROR_CONFLICT);

    /* Nor does an older version's run that holds both go on with either. */
    struct compute_class both[2] = {fixture.class, fixture.class};
    strcpy(both[0].encoder, encoders[i][0]);
    const struct compute_classes mixed = {both, 2}, one = {&fixture.class, 1};
    assert_ptr_equal(compute_classes_clash(&mixed, &one), &both[0]);
    assert_ptr_equal(compute_classes_clash(&one, &mixed), &fixture.class);
    assert_null(compute_classes_clash(&one, &one));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(attached_log_knows_shards_and_parts),
      IN_SCRATCH(adopted_parts_complete_the_run),
      IN_SCRATCH(adopted_end_of_a_shard_drops_what_lay_beyond),
      IN_SCRATCH(attached_log_leaves_the_run_as_a_whole_alone),
      IN_SCRATCH(torn_pack_is_refused),
      IN_SCRATCH(mixed_run_takes_another_class_and_says_so),
      IN_SCRATCH(hashes_and_a_models_vectors_are_never_mixed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
