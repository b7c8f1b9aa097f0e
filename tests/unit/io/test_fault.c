/* The fault switch. Each case runs in a child, because a process reads NINA_FAULT once. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "io/fault.h"
#include "tests/unit/io/scratch.h"

/* Sets bit i in the result if call i + 1 failed. */
static int failures(enum fault_site site, int calls, int number) {
  int bits = 0;
  for (int i = 0; i < calls; i++) {
    const int got = fault_point(site);
    if (got != 0 && got != number) return 255;
    if (got != 0) bits |= 1 << i;
  }
  return bits;
}

static int five_writes(void *context) {
  return failures(FAULT_WRITE, 5, *(int *)context);
}

static int two_of_each(void *context) {
  (void)context;
  return failures(FAULT_WRITE, 2, ENOSPC) | failures(FAULT_SYNC, 2, EACCES) << 2 |
         failures(FAULT_RENAME, 2, 0) << 4 | failures(FAULT_READ, 2, EIO) << 6;
}

/* Returns 0 if the switch is read without error, 1 if the error names the switch, more if something else is
 * wrong. */
static int check(void *context) {
  (void)context;
  struct error error = {0};
  const bool ok = fault_check(&error);
  if (fault_point(FAULT_WRITE) != 0) return 3;
  if (ok) return 0;
  return error.code == ERROR_USAGE && strstr(error.message, getenv("NINA_FAULT")) ? 1 : 2;
}

static void unset_switch_lets_every_call_pass(void **state) {
  (void)state;
  assert_int_equal(child_run("", five_writes, &(int){EIO}), 0);
  assert_int_equal(child_run("", two_of_each, NULL), 0);
}

static void nth_call_alone_fails_with_its_errno(void **state) {
  (void)state;
  assert_int_equal(child_run("write:3:ENOSPC", five_writes, &(int){ENOSPC}), 1 << 2);
  assert_int_equal(child_run("write:1:EACCES,write:4:EACCES", five_writes, &(int){EACCES}), 1 | 1 << 3);
}

static void plus_fails_every_call_from_the_nth_on(void **state) {
  (void)state;
  assert_int_equal(child_run("write:3+:EIO", five_writes, &(int){EIO}), 1 << 2 | 1 << 3 | 1 << 4);
}

static void sites_are_counted_apart(void **state) {
  (void)state;
  assert_int_equal(child_run("write:2:ENOSPC,sync:1:EACCES,read:2:EIO", two_of_each, NULL),
                   2 | 1 << 2 | 2 << 6);
}

static void kill_ends_the_process_at_the_call(void **state) {
  (void)state;
  assert_int_equal(child_run("write:5:kill", five_writes, &(int){0}), -SIGKILL);
  assert_int_equal(child_run("write:6:kill", five_writes, &(int){0}), 0);
}

/* The second write begins only after another thread has made the file; both succeed. */
static void *make_the_file(void *made) {
  *(bool *)made = true;
  FILE *file = fopen(getenv("NINA_FAULT_UNTIL"), "w");
  return file && fclose(file) == 0 ? made : NULL;
}

static int second_write_waits(void *context) {
  pthread_t thread;
  bool made = false;
  (void)context;
  if (fault_point(FAULT_WRITE) != 0) return 1; /* a call that waited here would wait for ever */
  pthread_create(&thread, NULL, make_the_file, &made);
  const int failed = fault_point(FAULT_WRITE);
  const int early = access(getenv("NINA_FAULT_UNTIL"), F_OK);
  pthread_join(thread, NULL);
  return failed || early || !made;
}

static void wait_lasts_until_the_file_is_there(void **state) {
  char path[512];
  setenv("NINA_FAULT_UNTIL", scratch_path(path, *state, "go"), 1);
  assert_int_equal(child_run("write:2:wait", second_write_waits, NULL), 0);
  unsetenv("NINA_FAULT_UNTIL");
  assert_int_equal(child_run("write:2:wait", check, NULL), 1); /* nothing says what to wait for */
}

static void malformed_switch_is_reported_and_arms_nothing(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "write",
      "write:1",
      "write:0:EIO",
      "write:-1:EIO",
      "write:x:EIO",
      "write:1:EBADF",
      "wrote:1:EIO",
      "write:1+EIO",
      "write: 1:EIO",
      "write:1:EIO,",
      ",write:1:EIO",
      "write:1:EIO,sync",
      "write:1:EIO x",
      "write:1::EIO",
      "write:1:EIO,,",
      "write:1:killed",
      "write:99999999999999999999:EIO",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    if (child_run(wrong[i], check, NULL) != 1) fail_msg("\"%s\" was taken", wrong[i]);
  assert_int_equal(child_run("sync:1:EIO,rename:2+:kill", check, NULL), 0);
  assert_int_equal(child_run("", check, NULL), 0);
}

#define THREADS 4
#define CALLS 100

static void *thread_calls(void *context) {
  for (int i = 0; i < CALLS; i++)
    if (fault_point(FAULT_SYNC) != 0) ++*(int *)context;
  return NULL;
}

static int many_threads(void *context) {
  (void)context;
  pthread_t thread[THREADS];
  int failed[THREADS] = {0}, sum = 0;
  for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, thread_calls, &failed[i]);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(thread[i], NULL);
    sum += failed[i];
  }
  return sum;
}

static void calls_are_counted_over_all_threads(void **state) {
  (void)state;
  assert_int_equal(child_run("sync:350:EIO", many_threads, NULL), 1);
  assert_int_equal(child_run("sync:391+:EIO", many_threads, NULL), 10);
  assert_int_equal(child_run("sync:401:EIO", many_threads, NULL), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unset_switch_lets_every_call_pass),
      cmocka_unit_test(nth_call_alone_fails_with_its_errno),
      cmocka_unit_test(plus_fails_every_call_from_the_nth_on),
      cmocka_unit_test(sites_are_counted_apart),
      cmocka_unit_test(kill_ends_the_process_at_the_call),
      cmocka_unit_test_setup_teardown(wait_lasts_until_the_file_is_there, scratch_make, scratch_remove),
      cmocka_unit_test(malformed_switch_is_reported_and_arms_nothing),
      cmocka_unit_test(calls_are_counted_over_all_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
