/* The wall clock jumps: once the file CLOCK_JUMP_AFTER exists, a process sees it CLOCK_JUMP_BY seconds ahead
 * (or behind). The clocks since boot stay, as they do if a real wall clock is set. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t jump(void) {
  const char *after = getenv("CLOCK_JUMP_AFTER"), *by = getenv("CLOCK_JUMP_BY");
  return after && by && access(after, F_OK) == 0 ? (time_t)atol(by) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += jump();
  return result;
}

time_t time(time_t *now) {
  struct timespec read = {0};
  clock_gettime(CLOCK_REALTIME, &read);
  if (now) *now = read.tv_sec;
  return read.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec read = {0};
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &read);
  *now = (struct timeval){.tv_sec = read.tv_sec, .tv_usec = read.tv_nsec / 1000};
  return 0;
}
