/* Shared by the kernel tests: random batches, memory that starts poisoned and ends exactly at its size, and
 * the schedules that each launch must survive. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
  uint64_t state; /* any seed */
};

uint32_t random_below(struct random *random, uint32_t bound);
float random_normal(struct random *random); /* mean 0, deviation 1 */

/* Memory aligned to 16 and full of 0xff: NaN as fp16 and fp32, -1 as an integer. The caller frees it with
 * free. */
void *memory_poisoned(size_t bytes);

/* [count] fp16 or fp32 numbers, normally distributed with this mean and deviation. */
uint16_t *halves_random(struct random *random, size_t count, float mean, float deviation);
float *floats_random(struct random *random, size_t count, float mean, float deviation);

/* [sequences + 1], first 0. */
int32_t *offsets_make(const int32_t *lengths, int32_t sequences);

/* Runs `launch` under each schedule, each time into poisoned memory, and checks that all give the same bytes.
 * `out` [bytes] then holds these bytes. `launch` gets `context` and checks its own status. */
void schedules_run(void (*launch)(void *context, void *out), void *context, void *out, size_t bytes);

/* Checks a launcher's status; if the launch failed, the message gives the emulator's reason. */
#define assert_launched(status) launched_check((status), __FILE__, __LINE__)
void launched_check(int status, const char *file, int line);

/* Runs the tests; returns what main returns. With the argument --broken, the program is a copy whose kernel
 * was broken on purpose: it stops at the first failure. */
struct CMUnitTest;
int fixture_run(const char *name, const struct CMUnitTest *tests, size_t count, int argc, char **argv);

/* NINA_FULL_TESTS=1: the tests may take longer. */
bool fixture_is_full(void);
