/* OUT belongs to the job that opened it last: an earlier job can change nothing, even if it still runs. */
#include "io/run/job_folder.h"

#include <pthread.h>
#include <signal.h>

#include "tests/unit/io/run/run_fixture.h"

/* The linker redirects our own calls (tests/unit/CMakeLists.txt). */
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);

/* An OUT in which another job begins at this thread's next rmdir(2); NULL: none. */
static _Thread_local const char *begun_in;
static char *begun; /* that job's folder */

int __wrap_rmdir(const char *path) {
  struct error error;
  const char *out = begun_in;
  begun_in = NULL;
  if (out) begun = job_folder_take(out, &error);
  return __real_rmdir(path);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

/* Opens a run that differs from the fixture's: other settings, larger blocks. */
static struct run_log *other_open(const void *folder, const struct shard *shards, int32_t count) {
  struct fixture_request fixture;
  struct error error;
  request_make(&fixture, shards, count, RUN_OVERWRITE);
  fixture.identity.settings.zstd_level = 9;
  struct run_log *log = run_log_open(fixture_out(folder), &fixture.request, &error);
  assert_ok(log, &error);
  return log;
}

static void expect_shut_out(bool changed, const struct error *error) {
  assert_false(changed);
  assert_int_equal(error->code, ERROR_CONFLICT);
  assert_says(error, "another job has begun in ");
}

static void finding_count(void *context, const struct finding *finding) {
  int *count = context;
  (void)finding;
  ++*count;
}

static void expect_whole(const void *folder) {
  struct run_totals totals;
  struct error error;
  int64_t files;
  int wrong = 0;
  assert_ok(run_verify(fixture_out(folder), 1, finding_count, &wrong, &totals, &files, &error), &error);
  assert_int_equal(wrong, 0);
}

static void late_rank_of_an_overwritten_job_can_change_nothing(void **state) {
  const struct shard shards[] = {shard_named("a", 2000), shard_named("b", 2000)};
  struct file_writer begun;
  struct part_record record = {.border = {.shard = 0, .index = 0, .lines = 1, .first_line = 1}};
  struct error error;
  struct run_log *old = fixture_open(*state, shards, 2, RUN_RESUME, &error);
  struct run_log *late = fixture_attach(*state, old);
  shard_make(old, 1, 3);
  /* When the other job begins, one file is complete and the next is half written. */
  assert_ok(part_file_make(late, &record, FOLDER_VECTORS, 8, &error), &error);
  assert_ok(run_log_file_open(late, FOLDER_VECTORS, 4, 0, 0, &begun, &error), &error);
  assert_ok(file_writer_write(&begun, "old", 3, &error), &error);

  struct run_log *now = other_open(*state, shards, 2);
  assert_false(scratch_exists(*state, "out/w8/part-00000-00000.npy.zst"));
  shard_make(now, 0, 2);
  shard_make(now, 1, 2);
  assert_ok(run_log_finish(now, &error), &error);

  expect_shut_out(run_log_file_commit(late, &begun, &record, &error), &error);
  expect_shut_out(part_make(late, 0, 0, PART_PLAIN, &error), &error);
  expect_shut_out(part_make(late, 0, 5, PART_END, &error), &error);
  strcpy(record.border.hash, "0123456789abcdef0123456789abcdef");
  expect_shut_out(run_log_commit(late, &record, &error), &error);
  expect_shut_out(run_log_forget(old, 1, 0, &error), &error); /* the new job has this record */
  expect_shut_out(run_log_forget(old, 1, 2, &error), &error); /* and not this one */
  expect_shut_out(run_log_finish(old, &error), &error);
  run_log_close(late);
  run_log_close(old);
  expect_whole(*state);
  assert_true(run_log_complete(now));
  run_log_close(now);

  /* And the next start takes over the new run. */
  struct fixture_request fixture;
  request_make(&fixture, shards, 2, RUN_RESUME);
  fixture.identity.settings.zstd_level = 9;
  now = run_log_open(fixture_out(*state), &fixture.request, &error);
  assert_ok(now, &error);
  assert_true(run_log_complete(now));
  run_log_close(now);
}

/* A late rank read a damaged version and must not put its part over the repaired shard's part. */
static void late_rank_that_read_a_damaged_shard_can_change_nothing(void **state) {
  struct shard shard = shard_named("a", 1);
  struct error error;
  struct run_log *old = fixture_open(*state, &shard, 1, RUN_RESUME, &error);
  struct run_log *late = fixture_attach(*state, old);
  assert_ok(part_make(old, 0, 0, PART_INCOMPLETE, &error), &error);
  shard = shard_named("a", 2000);
  struct run_log *now = fixture_open(*state, &shard, 1, RUN_RESUME, &error);
  assert_ok(now, &error);
  shard_make(now, 0, 2);
  assert_ok(run_log_finish(now, &error), &error);
  expect_shut_out(part_make(late, 0, 0, PART_INCOMPLETE, &error), &error);
  run_log_close(late);
  run_log_close(old);
  expect_whole(*state);
  run_log_close(now);
}

static void job_that_is_shut_out_leaves_the_later_one_alone_when_it_ends(void **state) {
  const struct shard shard = shard_named("a", 1);
  struct error error;
  struct run_log *old = fixture_open(*state, &shard, 1, RUN_RESUME, &error);
  struct run_log *now = fixture_open(*state, &shard, 1, RUN_RESUME, &error);
  run_log_close(old);
  shard_make(now, 0, 2);
  assert_true(run_log_complete(now));
  run_log_close(now);
}

/* How many entries in OUT have a temporary name. */
static int temporaries;
static int entry_count(const char *path, const struct stat *status, int kind, struct FTW *walk) {
  (void)status;
  (void)kind;
  temporaries += file_is_temporary(path + walk->base);
  return 0;
}

static int count_temporaries(const void *folder) {
  temporaries = 0;
  assert_int_equal(nftw(fixture_out(folder), entry_count, 16, FTW_PHYS), 0);
  return temporaries;
}

static int begin_and_die(void *folder) {
  const struct shard shard = shard_named("a", 1);
  struct error error;
  struct file_writer writer;
  struct run_log *log = fixture_open(folder, &shard, 1, RUN_RESUME, &error);
  return log && run_log_file_open(log, FOLDER_VECTORS, 8, 0, 0, &writer, &error) ? raise(SIGKILL) : 1;
}

static void whatever_a_dead_job_left_unfinished_is_removed(void **state) {
  const struct shard shard = shard_named("a", 1);
  struct error error;
  char path[512];
  assert_int_equal(child_run("", begin_and_die, *state), -SIGKILL);
  assert_int_equal(count_temporaries(*state), 2); /* its folder, and the file in that folder */
  /* Add remains from a job on another machine, and remains that could not be removed. */
  assert_int_equal(mkdir(scratch_path(path, *state, "out/.job.elsewhere-1-1.tmp"), 0777), 0);
  scratch_write(*state, "out/.job.elsewhere-1-1.tmp/.part-00000-00000.npy.zst.elsewhere-1-2.tmp", "x", 1);
  assert_int_equal(mkdir(scratch_path(path, *state, "out/.gone.elsewhere-1-1.tmp"), 0777), 0);
  scratch_write(*state, "out/.gone.elsewhere-1-1.tmp/discarded", "x", 1);
  scratch_write(*state, "out/.gone.elsewhere-1-2.tmp", "x", 1);
  struct run_log *log = fixture_open(*state, &shard, 1, RUN_RESUME, &error);
  assert_ok(log, &error);
  assert_int_equal(count_temporaries(*state), 1); /* its own folder */
  run_log_close(log);
  assert_int_equal(count_temporaries(*state), 0);
}

static void temporary_files_of_an_earlier_version_are_removed(void **state) {
  static const char *const left[] = {
      "out/.manifest.json.elsewhere-1-1.tmp", "out/parts/.part-00000-00000.json.elsewhere-1-2.tmp",
      "out/w8/.part-00000-00000.npy.zst.elsewhere-1-3.tmp", "out/w3/.part-00000-00000.npy.zst.here-1-3.tmp"};
  static const enum run_mode modes[] = {RUN_RESUME, RUN_APPEND, RUN_OVERWRITE};
  static const char stranger[] = "out/ids/.notes.elsewhere-1-1.tmp";
  const struct shard shard = shard_named("a", 1);
  struct error error;
  char path[512];
  run_log_close(fixture_open(*state, &shard, 1, RUN_RESUME, &error));
  for (size_t mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
    mkdir(scratch_path(path, *state, "out/w3"), 0777);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) scratch_write(*state, left[i], "x", 1);
    scratch_write(*state, stranger, "x", 1);
    struct run_log *log = fixture_open(*state, &shard, 1, modes[mode], &error);
    assert_ok(log, &error);
    run_log_close(log);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) assert_false(scratch_exists(*state, left[i]));
    assert_true(scratch_exists(*state, stranger));
  }
  assert_false(scratch_exists(*state, "out/w3"));
}

/* Leaves OUT with a dead job's folder inside. */
static void leave_folder(const void *folder) {
  char path[512];
  assert_int_equal(mkdir(fixture_out(folder), 0777), 0);
  assert_int_equal(mkdir(scratch_path(path, folder, "out/.job.elsewhere-1-1.tmp"), 0777), 0);
  scratch_write(folder, "out/.job.elsewhere-1-1.tmp/discarded", "x", 1);
}

static int take_and_leave(void *folder) {
  struct error error;
  char *job = job_folder_take(fixture_out(folder), &error);
  job_folder_leave(job);
  return !job || count_temporaries(folder) > 0;
}

static void death_while_another_folder_is_taken_away_leaves_nothing_that_stays(void **state) {
  leave_folder(*state);
  assert_int_equal(child_run("remove:1:kill", take_and_leave, *state), -SIGKILL);
  assert_false(scratch_exists(*state, "out/.job.elsewhere-1-1.tmp"));
  assert_true(count_temporaries(*state) > 0);
  assert_int_equal(child_run("", take_and_leave, *state), 0);
}

static int take_and_be_refused(void *folder) {
  struct error error = {0};
  char *job = job_folder_take(fixture_out(folder), &error);
  return job || error.code != ERROR_IO || !strstr(error.message, "out/.gone.") ||
         !strstr(error.message, "end the process, then start again): Permission denied");
}

/* The earlier job is shut out, but over NFS shutting it out would not be enough. */
static void folder_that_cannot_be_removed_is_an_error_until_it_can(void **state) {
  leave_folder(*state);
  for (int tries = 0; tries < 2; tries++) {
    assert_int_equal(child_run("remove:1:EACCES", take_and_be_refused, *state), 0);
    assert_int_equal(count_temporaries(*state), 1);
  }
  assert_int_equal(child_run("", take_and_leave, *state), 0);
}

#define STARTERS 4
#define STARTS 200

struct starter {
  const char *out;
  pthread_barrier_t *barrier;
  char *folder; /* NULL: refused */
  struct error error;
};

static void *take_at_once(void *argument) {
  struct starter *starter = argument;
  pthread_barrier_wait(starter->barrier);
  starter->folder = job_folder_take(starter->out, &starter->error);
  return NULL;
}

static void of_jobs_that_begin_at_the_same_moment_one_goes_on(void **state) {
  pthread_barrier_t barrier;
  assert_int_equal(pthread_barrier_init(&barrier, NULL, STARTERS), 0);
  for (int start = 0; start < STARTS; start++) {
    struct starter starters[STARTERS];
    pthread_t threads[STARTERS];
    int standing = 0;
    for (int i = 0; i < STARTERS; i++) {
      starters[i] = (struct starter){.out = *state, .barrier = &barrier};
      assert_int_equal(pthread_create(&threads[i], NULL, take_at_once, &starters[i]), 0);
    }
    for (int i = 0; i < STARTERS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < STARTERS; i++) {
      if (starters[i].folder) standing += job_folder_stands(starters[i].folder);
      if (starters[i].folder) continue;
      assert_says(&starters[i].error, "another job has begun in ");
      assert_int_equal(starters[i].error.code, ERROR_CONFLICT);
    }
    assert_int_equal(standing, 1);
    for (int i = 0; i < STARTERS; i++) job_folder_leave(starters[i].folder);
  }
  pthread_barrier_destroy(&barrier);
}

/* The race above, in the order that only the last look at the own folder notices. */
static void job_that_is_overtaken_while_it_begins_is_refused(void **state) {
  struct error error = {0};
  leave_folder(*state);
  begun_in = fixture_out(*state);
  assert_null(job_folder_take(fixture_out(*state), &error));
  assert_non_null(begun);
  assert_int_equal(error.code, ERROR_CONFLICT);
  assert_says(&error, "another job has begun in ");
  assert_true(job_folder_stands(begun));
  job_folder_leave(begun);
  assert_int_equal(count_temporaries(*state), 0);
}

static void lock_that_another_starter_has_put_aside_is_left_alone(void **state) {
  struct error error;
  scratch_write(*state, ".job.lock.elsewhere-1-3.tmp", "x", 1);
  char *folder = job_folder_take(*state, &error);
  assert_ok(folder, &error);
  assert_true(scratch_exists(*state, ".job.lock.elsewhere-1-3.tmp"));
  job_folder_leave(folder);
}

static void folders_of_other_names_are_left_alone(void **state) {
  static const char *const names[] = {"job.x-1-1.tmp", ".job.x-1-1", ".jobs.x-1-1.tmp", ".job.x-1.tmp"};
  struct error error;
  char path[512];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    assert_int_equal(mkdir(scratch_path(path, *state, names[i]), 0777), 0);
  char *folder = job_folder_take(*state, &error);
  assert_ok(folder, &error);
  assert_true(job_folder_stands(folder));
  job_folder_leave(folder);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) assert_true(scratch_exists(*state, names[i]));
}

static void discarding_needs_the_folder_and_no_file(void **state) {
  struct error error;
  char *folder = job_folder_take(*state, &error);
  assert_ok(folder, &error);
  for (int i = 0; i < 2; i++) {
    scratch_write(*state, "a", "x", 1);
    assert_ok(job_folder_discard(folder, *state, "a", &error), &error);
    assert_false(scratch_exists(*state, "a"));
    assert_ok(job_folder_discard(folder, *state, "a", &error), &error);
  }
  char *later = job_folder_take(*state, &error);
  scratch_write(*state, "a", "x", 1);
  assert_false(job_folder_stands(folder));
  assert_false(job_folder_discard(folder, *state, "a", &error));
  assert_says(&error, "cannot remove ");
  assert_true(scratch_exists(*state, "a"));
  job_folder_leave(folder);
  assert_true(job_folder_stands(later));
  job_folder_leave(later);
}

static void empty_folder_is_taken_out_only_by_the_job_whose_folder_stands(void **state) {
  struct error error;
  char path[512];
  char *folder = job_folder_take(*state, &error);
  assert_ok(folder, &error);
  assert_ok(job_folder_discard_empty(folder, *state, "w8", &error), &error);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(mkdir(scratch_path(path, *state, "w8"), 0777), 0);
    assert_ok(job_folder_discard_empty(folder, *state, "w8", &error), &error);
    assert_false(scratch_exists(*state, "w8"));
  }
  assert_int_equal(mkdir(scratch_path(path, *state, "w8"), 0777), 0);
  scratch_write(*state, "w8/a", "x", 1);
  assert_ok(job_folder_discard_empty(folder, *state, "w8", &error), &error);
  assert_true(scratch_exists(*state, "w8/a"));
  assert_int_equal(unlink(scratch_path(path, *state, "w8/a")), 0);
  char *later = job_folder_take(*state, &error);
  assert_ok(later, &error);
  assert_false(job_folder_discard_empty(folder, *state, "w8", &error));
  assert_says(&error, "cannot remove ");
  assert_true(scratch_exists(*state, "w8"));
  job_folder_leave(folder);
  job_folder_leave(later);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* Tests with child processes come first: see child_run. */
      IN_SCRATCH(death_while_another_folder_is_taken_away_leaves_nothing_that_stays),
      IN_SCRATCH(folder_that_cannot_be_removed_is_an_error_until_it_can),
      IN_SCRATCH(whatever_a_dead_job_left_unfinished_is_removed),
      IN_SCRATCH(temporary_files_of_an_earlier_version_are_removed),
      IN_SCRATCH(late_rank_of_an_overwritten_job_can_change_nothing),
      IN_SCRATCH(late_rank_that_read_a_damaged_shard_can_change_nothing),
      IN_SCRATCH(job_that_is_shut_out_leaves_the_later_one_alone_when_it_ends),
      IN_SCRATCH(of_jobs_that_begin_at_the_same_moment_one_goes_on),
      IN_SCRATCH(job_that_is_overtaken_while_it_begins_is_refused),
      IN_SCRATCH(lock_that_another_starter_has_put_aside_is_left_alone),
      IN_SCRATCH(folders_of_other_names_are_left_alone),
      IN_SCRATCH(empty_folder_is_taken_out_only_by_the_job_whose_folder_stands),
      IN_SCRATCH(discarding_needs_the_folder_and_no_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
