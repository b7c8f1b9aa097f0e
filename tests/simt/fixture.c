#include "fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/model/half.h"
#include "machine.h"

/* xorshift64*: Marsaglia 2003, Vigna 2016. */
static uint32_t random_bits(struct random *random) {
  if (random->state == 0) random->state = 1;
  random->state ^= random->state >> 12;
  random->state ^= random->state << 25;
  random->state ^= random->state >> 27;
  return (uint32_t)((random->state * 0x2545f4914f6cdd1dull) >> 32);
}

uint32_t random_below(struct random *random, uint32_t bound) {
  return (uint32_t)((uint64_t)random_bits(random) * bound >> 32);
}

/* Box and Muller 1958. */
float random_normal(struct random *random) {
  const double u = (random_bits(random) + 1.0) / 4294967296.0, v = random_bits(random) / 4294967296.0;
  return (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

void *memory_poisoned(size_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 16, bytes ? bytes : 1) != 0) abort();
  memset(memory, 0xff, bytes);
  return memory;
}

uint16_t *halves_random(struct random *random, size_t count, float mean, float deviation) {
  uint16_t *halves = memory_poisoned(count * sizeof *halves);
  for (size_t i = 0; i < count; i++) halves[i] = half_from_float(mean + deviation * random_normal(random));
  return halves;
}

float *floats_random(struct random *random, size_t count, float mean, float deviation) {
  float *floats = memory_poisoned(count * sizeof *floats);
  for (size_t i = 0; i < count; i++) floats[i] = mean + deviation * random_normal(random);
  return floats;
}

int32_t *offsets_make(const int32_t *lengths, int32_t sequences) {
  int32_t *offsets = memory_poisoned(((size_t)sequences + 1) * sizeof *offsets);
  offsets[0] = 0;
  for (int32_t s = 0; s < sequences; s++) offsets[s + 1] = offsets[s] + lengths[s];
  return offsets;
}

void schedules_run(void (*launch)(void *context, void *out), void *context, void *out, size_t bytes) {
  static const uint32_t schedules[] = {SIMT_HIGHEST_FIRST, SIMT_RANDOM};
  memset(out, 0xff, bytes);
  simt_schedule(SIMT_LOWEST_FIRST);
  launch(context, out);
  for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
    void *again = memory_poisoned(bytes);
    simt_schedule(schedules[i]);
    launch(context, again);
    const bool same = memcmp(out, again, bytes) == 0;
    free(again);
    if (!same) fail_msg("schedule %u gives other bits than the lowest thread first", schedules[i]);
  }
  simt_schedule(SIMT_LOWEST_FIRST);
}

void launched_check(int status, const char *file, int line) {
  if (status == 0) return;
  print_error("launch failed with %d: %s\n", status, simt_failure());
  _fail(file, line);
}

int fixture_run(const char *name, const struct CMUnitTest *tests, size_t count, int argc, char **argv) {
  const bool broken = argc > 1 && strcmp(argv[1], "--broken") == 0;
  const size_t step = broken ? 1 : count;
  int failures = 0;
  for (size_t i = 0; i < count && failures == 0; i += step)
    failures = _cmocka_run_group_tests(name, tests + i, step, NULL, NULL);
  simt_free();
  return failures;
}

bool fixture_is_full(void) {
  const char *full = getenv("NINA_FULL_TESTS");
  return full && strcmp(full, "1") == 0;
}
