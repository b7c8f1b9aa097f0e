#include "io/run/job_lock.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/unit/io/scratch.h"

/* The linker redirects our own calls (tests/unit/CMakeLists.txt). */
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

static const json_t
    *written_first; /* the next rename(2) finds this in its file instead; NULL: what is there */

static int rename_error; /* errno of every rename(2); 0: works */

int __wrap_rename(const char *from, const char *to) {
  const json_t *json = written_first;
  written_first = NULL;
  if (rename_error) {
    errno = rename_error;
    return -1;
  }
  if (json) assert_int_equal(json_dump_file(json, from, JSON_COMPACT), 0);
  return __real_rename(from, to);
}

int __real_kill(pid_t process, int number);
int __wrap_kill(pid_t process, int number);

static pid_t hidden; /* kill(2) finds a process of this number, of another user */

int __wrap_kill(pid_t process, int number) {
  if (!hidden || process != hidden) return __real_kill(process, number);
  errno = EPERM;
  return -1;
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

/* Reads the lock file as JSON. */
static json_t *lock_read(const void *out, const char *name) {
  char path[512];
  json_t *json = json_load_file(scratch_path(path, out, name), 0, NULL);
  assert_non_null(json);
  return json;
}

static void lock_write(const void *out, const char *name, const json_t *json) {
  char path[512];
  assert_int_equal(json_dump_file(json, scratch_path(path, out, name), JSON_COMPACT), 0);
}

/* Leaves a lock such as another job would leave: this process's lock with one member changed. */
static void lock_leave(const void *out, const char *key, json_t *value) {
  struct error error;
  struct job_lock *lock = job_lock_take(out, &error);
  assert_non_null(lock);
  json_t *json = lock_read(out, "job.lock");
  job_lock_release(lock);
  assert_int_equal(json_object_set_new(json, key, value), 0);
  lock_write(out, "job.lock", json);
  json_decref(json);
}

static void lock_is_there_from_take_to_release(void **state) {
  struct error error;
  char out[512];
  scratch_path(out, *state, "new/out");
  struct job_lock *lock = job_lock_take(out, &error);
  assert_non_null(lock);
  json_t *json = lock_read(out, "job.lock");
  assert_int_equal(json_integer_value(json_object_get(json, "pid")), getpid());
  assert_true(json_integer_value(json_object_get(json, "start")) > 0);
  assert_int_equal(json_string_length(json_object_get(json, "boot")), 36);
  json_decref(json);
  job_lock_release(lock);
  assert_false(scratch_exists(out, "job.lock"));
}

static void living_job_on_this_host_is_left_alone(void **state) {
  struct error error;
  struct job_lock *lock = job_lock_take(*state, &error);
  char process[48];
  snprintf(process, sizeof process, "process %ld on this host", (long)getpid());
  assert_null(job_lock_take(*state, &error));
  assert_int_equal(error.code, ERROR_CONFLICT);
  assert_says(&error, process);
  job_lock_release(lock);
  assert_false(scratch_exists(*state, "job.lock"));
}

static void dead_job_on_this_host_is_taken_over_at_once(void **state) {
  static const struct {
    const char *key;
    int64_t number;
  } changes[] = {{"start", 1}, {"pid", 999999999}};
  struct error error;
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    lock_leave(*state, changes[i].key, json_integer(changes[i].number));
    struct job_lock *lock = job_lock_take(*state, &error);
    assert_non_null(lock);
    job_lock_release(lock);
  }
}

static int take_and_die(void *out) {
  struct error error;
  return job_lock_take(out, &error) ? raise(SIGKILL) : 1;
}

static void killed_job_is_taken_over_at_once(void **state) {
  struct error error;
  assert_int_equal(child_run("", take_and_die, *state), -SIGKILL);
  assert_true(scratch_exists(*state, "job.lock"));
  struct job_lock *lock = job_lock_take(*state, &error);
  assert_non_null(lock);
  job_lock_release(lock);
}

/* Dies when it writes the first byte. */
static int die_before_the_first_byte(void *out) {
  struct error error;
  const struct rlimit none = {0, 0};
  signal(SIGXFSZ, SIG_DFL);
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_FSIZE, &none);
  job_lock_take(out, &error);
  return 1;
}

static void job_killed_while_it_wrote_its_lock_is_in_nobodys_way(void **state) {
  struct error error;
  assert_int_equal(child_run("", die_before_the_first_byte, *state), -SIGXFSZ);
  assert_false(scratch_exists(*state, "job.lock"));
  struct job_lock *lock = job_lock_take(*state, &error);
  assert_non_null(lock);
  job_lock_release(lock);
}

/* Makes the first sighting by each clock, as job.lock.seen notes it, look `seconds` older. */
static void seen_age(const void *out, int64_t seconds) {
  const char *key;
  json_t *since, *json = lock_read(out, "job.lock.seen");
  json_object_foreach(json_object_get(json, "since"), key, since)
      json_integer_set(since, json_integer_value(since) - seconds);
  lock_write(out, "job.lock.seen", json);
  json_decref(json);
}

static void assert_taken_after_a_minute(const void *out) {
  struct error error;
  seen_age(out, 60);
  struct job_lock *lock = job_lock_take(out, &error);
  assert_non_null(lock);
  job_lock_release(lock);
}

static int64_t seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

/* Another host tries in between: its clock's sighting, of `ago` seconds, is noted beside the others, or
 * instead of them. */
static void seen_elsewhere(const void *out, int64_t ago, bool beside) {
  json_t *json = lock_read(out, "job.lock.seen"), *since = json_object_get(json, "since");
  if (!beside) json_object_clear(since);
  json_object_set_new(since, "another boot", json_integer(seconds_now() - ago));
  lock_write(out, "job.lock.seen", json);
  json_decref(json);
}

/* Fails unless the error says "start again in `left` s", or less by the seconds that have passed since
 * `start`. */
static void assert_left(const struct error *error, int64_t left, int64_t start) {
  const char *at = strstr(error->message, "start again in ");
  if (!at) fail_msg("no time in \"%s\"", error->message);
  const int64_t said = strtoll(at + strlen("start again in "), NULL, 10);
  assert_true(said <= left && said >= left - (seconds_now() - start));
}

static void job_on_another_host_is_given_a_minute(void **state) {
  struct error error;
  const int64_t start = seconds_now();
  lock_leave(*state, "host", json_string("elsewhere"));
  assert_null(job_lock_take(*state, &error));
  assert_int_equal(error.code, ERROR_CONFLICT);
  assert_says(&error, "on host elsewhere");
  assert_says(&error, "in 60 s");
  seen_age(*state, 25);
  assert_null(job_lock_take(*state, &error));
  assert_left(&error, 35, start);
  seen_age(*state, 35);
  struct job_lock *lock = job_lock_take(*state, &error);
  assert_non_null(lock);
  assert_false(scratch_exists(*state, "job.lock.seen"));
  job_lock_release(lock);
}

static int take_on_a_host_of_another_name(void *out) {
  struct error error;
  if (unshare(CLONE_NEWUTS) != 0 || sethostname("another", 7) != 0) return 77;
  return job_lock_take(out, &error) ? 0 : 1;
}

/* Each container has a name of its own. */
static void minute_goes_on_under_another_host_name(void **state) {
  struct error error;
  lock_leave(*state, "host", json_string("elsewhere"));
  assert_null(job_lock_take(*state, &error));
  seen_age(*state, 60);
  const int status = child_run("", take_on_a_host_of_another_name, *state);
  if (status == 77) skip();
  assert_int_equal(status, 0);
}

static void hosts_that_try_in_turn_keep_a_minute_each(void **state) {
  struct error error;
  lock_leave(*state, "host", json_string("elsewhere"));
  assert_null(job_lock_take(*state, &error));
  seen_elsewhere(*state, 1000, false);
  assert_null(job_lock_take(*state, &error)); /* another clock's time says nothing here */
  assert_says(&error, "in 60 s");
  json_t *json = lock_read(*state, "job.lock.seen");
  assert_int_equal(json_object_size(json_object_get(json, "since")), 2);
  json_decref(json);
  seen_age(*state, 60);
  seen_elsewhere(*state, 0, true);
  struct job_lock *lock = job_lock_take(*state, &error);
  assert_non_null(lock);
  job_lock_release(lock);
}

/* As after a note that is damaged: no minute in the future keeps a dead lock. */
static void first_sight_that_is_yet_to_come_does_not_count(void **state) {
  struct error error;
  lock_leave(*state, "host", json_string("elsewhere"));
  assert_null(job_lock_take(*state, &error));
  seen_age(*state, -100000);
  assert_null(job_lock_take(*state, &error));
  assert_says(&error, "in 60 s");
  assert_taken_after_a_minute(*state);
}

/* With hidepid, another user's process may have a dead job's number, or be the job. */
static void owner_that_the_system_hides_is_given_a_minute(void **state) {
  struct error error;
  lock_leave(*state, "pid", json_integer(999999999));
  hidden = 999999999;
  assert_null(job_lock_take(*state, &error));
  assert_int_equal(error.code, ERROR_CONFLICT);
  assert_says(&error, "process 999999999 on host ");
  assert_says(&error, "in 60 s");
  assert_false(job_lock_look(*state, &error));
  assert_says(&error, "if it is dead, remove the file");
  assert_taken_after_a_minute(*state);
  hidden = 0;
}

/* After another boot or in another namespace, a living process may have this process's number. */
static void job_of_another_boot_or_namespace_is_given_a_minute(void **state) {
  static const char *const keys[] = {"boot", "namespace"};
  struct error error;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    lock_leave(*state, keys[i], json_string("another"));
    assert_null(job_lock_take(*state, &error));
    assert_int_equal(error.code, ERROR_CONFLICT);
    assert_says(&error, "in 60 s");
    assert_taken_after_a_minute(*state);
  }
}

static void lock_of_an_earlier_version_is_given_a_minute(void **state) {
  struct error error;
  lock_leave(*state, "pid", json_integer(999999999));
  json_t *json = lock_read(*state, "job.lock");
  assert_int_equal(json_object_del(json, "namespace"), 0);
  lock_write(*state, "job.lock", json);
  json_decref(json);
  assert_null(job_lock_take(*state, &error));
  assert_says(&error, "process 999999999 on host ");
  assert_says(&error, "in 60 s");
}

static void counter_that_moves_starts_the_minute_anew(void **state) {
  struct error error;
  lock_leave(*state, "host", json_string("elsewhere"));
  assert_null(job_lock_take(*state, &error));
  seen_age(*state, 100);
  json_t *json = lock_read(*state, "job.lock");
  json_object_set_new(json, "counter", json_integer(7));
  lock_write(*state, "job.lock", json);
  json_decref(json);
  assert_null(job_lock_take(*state, &error));
  assert_says(&error, "in 60 s");
}

static void torn_lock_is_no_obstacle_for_ever(void **state) {
  static const char *const texts[] = {"{\"host\":", "\377", ""};
  struct error error;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    scratch_write(*state, "job.lock", texts[i], strlen(texts[i]));
    assert_null(job_lock_take(*state, &error));
    assert_says(&error, "in 60 s");
    assert_taken_after_a_minute(*state);
  }
}

static int take_and_die_on_an_odd_host(void *out) {
  if (unshare(CLONE_NEWUTS) != 0 || sethostname("a\377\"b", 4) != 0) return 77;
  return take_and_die(out);
}

static int take_on_an_odd_host(void *out) {
  struct error error;
  if (unshare(CLONE_NEWUTS) != 0 || sethostname("a\377\"b", 4) != 0) return 77;
  return job_lock_take(out, &error) ? 0 : 1;
}

static void host_name_of_any_bytes_tells_whose_lock_it_is(void **state) {
  const int status = child_run("", take_and_die_on_an_odd_host, *state);
  if (status == 77) skip();
  assert_int_equal(status, -SIGKILL);
  assert_int_equal(child_run("", take_on_an_odd_host, *state), 0);
}

/* In a sticky folder, a file of another user cannot be replaced or removed. */
static void lock_whose_age_cannot_be_noted_is_for_the_user_to_remove(void **state) {
  struct error error;
  lock_leave(*state, "host", json_string("elsewhere"));
  rename_error = EPERM;
  assert_null(job_lock_take(*state, &error));
  assert_int_equal(error.code, ERROR_CONFLICT);
  assert_says(&error, "if it is dead, remove that file (");
  assert_says(&error, "job.lock.seen cannot be written");
  rename_error = 0;
  assert_null(job_lock_take(*state, &error));
  assert_says(&error, "in 60 s");
  seen_age(*state, 60);
  rename_error = EPERM;
  assert_null(job_lock_take(*state, &error));
  assert_int_equal(error.code, ERROR_IO);
  assert_says(&error, "job.lock, which a dead job left: Operation not permitted");
  rename_error = 0;
  assert_taken_after_a_minute(*state);
}

static void lock_that_was_taken_over_is_not_removed(void **state) {
  struct error error;
  char path[512];
  struct job_lock *lock = job_lock_take(*state, &error);
  assert_int_equal(remove(scratch_path(path, *state, "job.lock")), 0);
  scratch_write(*state, "job.lock", "another's", 9);
  job_lock_release(lock);
  assert_true(scratch_exists(*state, "job.lock"));
}

/* Two jobs find one dead lock. The earlier one has made its own by the time the later one puts it aside. */
static void only_the_lock_that_was_judged_is_removed(void **state) {
  struct error error;
  struct job_lock *lock = job_lock_take(*state, &error);
  assert_non_null(lock);
  json_t *living = lock_read(*state, "job.lock"); /* of this process, which lives */
  job_lock_release(lock);
  lock_leave(*state, "start", json_integer(1));
  written_first = living;
  assert_null(job_lock_take(*state, &error));
  assert_null(written_first);
  assert_int_equal(error.code, ERROR_CONFLICT);
  assert_says(&error, "on this host, is writing to ");
  json_t *left = lock_read(*state, "job.lock");
  assert_true(json_equal(left, living));
  json_decref(left);
  json_decref(living);
}

static void lock_that_somebody_put_aside_is_removed(void **state) {
  struct error error;
  scratch_write(*state, ".job.lock.elsewhere-1-3.tmp", "x", 1);
  scratch_write(*state, ".other.lock.elsewhere-1-3.tmp", "x", 1);
  struct job_lock *lock = job_lock_take(*state, &error);
  assert_non_null(lock);
  assert_false(scratch_exists(*state, ".job.lock.elsewhere-1-3.tmp"));
  assert_true(scratch_exists(*state, ".other.lock.elsewhere-1-3.tmp"));
  job_lock_release(lock);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_SCRATCH(killed_job_is_taken_over_at_once),
      IN_SCRATCH(job_killed_while_it_wrote_its_lock_is_in_nobodys_way),
      IN_SCRATCH(lock_is_there_from_take_to_release),
      IN_SCRATCH(living_job_on_this_host_is_left_alone),
      IN_SCRATCH(dead_job_on_this_host_is_taken_over_at_once),
      IN_SCRATCH(job_on_another_host_is_given_a_minute),
      IN_SCRATCH(minute_goes_on_under_another_host_name),
      IN_SCRATCH(hosts_that_try_in_turn_keep_a_minute_each),
      IN_SCRATCH(first_sight_that_is_yet_to_come_does_not_count),
      IN_SCRATCH(owner_that_the_system_hides_is_given_a_minute),
      IN_SCRATCH(job_of_another_boot_or_namespace_is_given_a_minute),
      IN_SCRATCH(lock_of_an_earlier_version_is_given_a_minute),
      IN_SCRATCH(counter_that_moves_starts_the_minute_anew),
      IN_SCRATCH(torn_lock_is_no_obstacle_for_ever),
      IN_SCRATCH(host_name_of_any_bytes_tells_whose_lock_it_is),
      IN_SCRATCH(lock_whose_age_cannot_be_noted_is_for_the_user_to_remove),
      IN_SCRATCH(lock_that_was_taken_over_is_not_removed),
      IN_SCRATCH(only_the_lock_that_was_judged_is_removed),
      IN_SCRATCH(lock_that_somebody_put_aside_is_removed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
