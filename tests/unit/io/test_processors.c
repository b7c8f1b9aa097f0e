/* The affinity mask, on this machine and on one with more processors than cpu_set_t has room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "io/processors.h"

int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask);

/* A kernel for so many processors, which lets this process run on the last `last_ones`; 0: the machine's own.
 */
static int kernel_processors, last_ones;

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask) {
  if (kernel_processors == 0) return __real_sched_getaffinity(pid, size, mask);
  if (size * 8 < (size_t)kernel_processors) {
    errno = EINVAL;
    return -1;
  }
  memset(mask, 0, size);
  for (int i = kernel_processors - last_ones; i < kernel_processors; i++) CPU_SET_S((size_t)i, size, mask);
  return 0;
}

static void processors_beyond_the_first_1024_count(void **state) {
  struct processors all, some;
  (void)state;
  for (kernel_processors = 1024; kernel_processors <= 8192; kernel_processors *= 2) {
    last_ones = kernel_processors;
    processors_read(&all);
    assert_int_equal(all.count, kernel_processors);
    last_ones = 100;
    processors_read(&some);
    assert_int_equal(some.count, 100);
    assert_true(some.mask != all.mask);
  }
  kernel_processors = 0;
}

static void a_mask_that_the_system_does_not_tell_is_one_processor(void **state) {
  struct processors unknown;
  (void)state;
  kernel_processors = 1 << 20; /* more than any kernel has */
  processors_read(&unknown);
  kernel_processors = 0;
  assert_int_equal(unknown.count, 1);
  assert_int_equal(unknown.mask, 0);
}

static void this_process_s_mask_is_read(void **state) {
  struct processors before, one;
  cpu_set_t mask, first;
  (void)state;
  if (__real_sched_getaffinity(0, sizeof mask, &mask) != 0) skip();
  processors_read(&before);
  assert_int_equal(before.count, CPU_COUNT(&mask));
  assert_int_equal(processors_allowed(), before.count);
  int number = 0;
  while (!CPU_ISSET(number, &mask)) number++;
  CPU_ZERO(&first);
  CPU_SET(number, &first);
  assert_int_equal(sched_setaffinity(0, sizeof first, &first), 0);
  processors_read(&one);
  assert_int_equal(sched_setaffinity(0, sizeof mask, &mask), 0);
  assert_int_equal(one.count, 1);
  assert_int_equal(one.mask == before.mask, before.count == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(processors_beyond_the_first_1024_count),
      cmocka_unit_test(a_mask_that_the_system_does_not_tell_is_one_processor),
      cmocka_unit_test(this_process_s_mask_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
