/* Device memory, random numbers and time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "host/model/half.h"
#include "tests/gpu_check/gpu_check.h"

#define STAGING ((size_t)8 << 20) /* pinned; a multiple of every alignment */

uint64_t random_next(uint64_t *state) {
  uint64_t x = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

void halves_random(uint16_t *numbers, size_t count, float spread, uint64_t seed) {
  for (size_t i = 0; i < count; i++) {
    /* The sum of four evenly distributed numbers is nearly normal, with variance 4 / 12. */
    const uint64_t bits = random_next(&seed);
    float sum = 0;
    for (int k = 0; k < 4; k++) sum += (float)(bits >> (16 * k) & 0xffff) / 65536.0f - 0.5f;
    numbers[i] = half_from_float(sum * spread * sqrtf(3.0f));
  }
}

static bool staged_copy(struct check *check, void *to, const void *from, size_t bytes,
                        enum cudaMemcpyKind kind, struct error *error) {
  char *staging = NULL;
  bool done = false;
  if (!cuda_check(cudaMallocHost((void **)&staging, STAGING), error, "pinned memory")) return false;
  for (size_t at = 0; at < bytes; at += STAGING) {
    const size_t part = bytes - at < STAGING ? bytes - at : STAGING;
    const bool up = kind == cudaMemcpyHostToDevice;
    if (up) memcpy(staging, (const char *)from + at, part);
    if (!cuda_check(cudaMemcpyAsync(up ? (char *)to + at : staging, up ? staging : (const char *)from + at,
                                    part, kind, check->stream),
                    error, "a copy") ||
        !cuda_check(cudaStreamSynchronize(check->stream), error, "a copy"))
      goto out;
    if (!up) memcpy((char *)to + at, staging, part);
  }
  done = true;
out:
  cudaFreeHost(staging);
  return done;
}

void *device_make(struct check *check, const void *from, size_t bytes, struct error *error) {
  void *memory = NULL;
  if (!cuda_check(cudaMalloc(&memory, bytes), error, "%zu bytes on the card", bytes)) return NULL;
  if (!from || staged_copy(check, memory, from, bytes, cudaMemcpyHostToDevice, error)) return memory;
  cudaFree(memory);
  return NULL;
}

bool device_write(struct check *check, void *to, const void *from, size_t bytes, struct error *error) {
  return staged_copy(check, to, from, bytes, cudaMemcpyHostToDevice, error);
}

bool device_read(struct check *check, const void *from, void *to, size_t bytes, struct error *error) {
  return staged_copy(check, to, from, bytes, cudaMemcpyDeviceToHost, error);
}

/* The card itself copies the block again and again. */
bool device_repeat(struct check *check, void *to, size_t bytes, const void *from, size_t first,
                   struct error *error) {
  if (first > bytes) first = bytes;
  bool done = staged_copy(check, to, from, first, cudaMemcpyHostToDevice, error);
  for (size_t at = first; at < bytes && done; at += first) {
    const size_t part = bytes - at < first ? bytes - at : first;
    done = cuda_check(cudaMemcpyAsync((char *)to + at, to, part, cudaMemcpyDeviceToDevice, check->stream),
                      error, "filling memory");
  }
  return done && cuda_check(cudaStreamSynchronize(check->stream), error, "filling memory");
}

bool device_fill(struct check *check, void *to, size_t bytes, float spread, uint64_t seed,
                 struct error *error) {
  const size_t first = bytes < STAGING ? bytes : STAGING;
  uint16_t *numbers = malloc(first);
  if (!numbers) return error_set_memory(error, first, "random numbers");
  halves_random(numbers, first / sizeof *numbers, spread, seed);
  const bool done = device_repeat(check, to, bytes, numbers, first, error);
  free(numbers);
  return done;
}

void *device_random(struct check *check, size_t bytes, float spread, uint64_t seed, struct error *error) {
  void *memory = device_make(check, NULL, bytes, error);
  if (!memory || device_fill(check, memory, bytes, spread, seed, error)) return memory;
  cudaFree(memory);
  return NULL;
}

bool device_poison(struct check *check, void *to, size_t bytes, struct error *error) {
  const size_t most = bytes < STAGING ? bytes : STAGING;
  void *nans = malloc(most);
  if (!nans) return error_set_memory(error, most, "NaNs");
  memset(nans, 0xff, most);
  const bool done = device_repeat(check, to, bytes, nans, most, error);
  free(nans);
  return done;
}

/* The largest |numbers - expected| in units of `unit` (|expected|). */
static double halves_off(const uint16_t *numbers, const uint16_t *expected, size_t count,
                         double (*unit)(double size)) {
  double worst = 0;
  for (size_t i = 0; i < count; i++) {
    const double x = (double)half_to_float(numbers[i]), y = (double)half_to_float(expected[i]);
    const double difference = fabs(x - y) / unit(fabs(y));
    if (!(difference <= worst)) worst = isnan(difference) ? INFINITY : difference;
  }
  return worst;
}

static double size_unit(double size) {
  return fmax(1, size);
}

/* fp16 has 10 bits behind the first. */
static double step_unit(double size) {
  return ldexp(1, ilogb(fmax(0.5, size)) - 10);
}

double halves_differ(const uint16_t *numbers, const uint16_t *expected, size_t count) {
  return halves_off(numbers, expected, count, size_unit);
}

double halves_steps(const uint16_t *numbers, const uint16_t *expected, size_t count) {
  return halves_off(numbers, expected, count, step_unit);
}

bool time_measure(struct check *check, timed_work *work, void *context, int count, double *seconds,
                  struct error *error) {
  cudaEvent_t start = NULL, end = NULL;
  float milliseconds = 0;
  bool done = false;
  if (!cuda_check(cudaEventCreateWithFlags(&start, 0), error, "making an event") ||
      !cuda_check(cudaEventCreateWithFlags(&end, 0), error, "making an event") || !work(context, error) ||
      !cuda_check(cudaEventRecord(start, check->stream), error, "recording an event"))
    goto out;
  for (int i = 0; i < count; i++)
    if (!work(context, error)) goto out;
  done = cuda_check(cudaEventRecord(end, check->stream), error, "recording an event") &&
         cuda_check(cudaEventSynchronize(end), error, "a measurement") &&
         cuda_check(cudaEventElapsedTime(&milliseconds, start, end), error, "a measurement");
  *seconds = (double)milliseconds / 1000 / count;
out:
  if (start) cudaEventDestroy(start);
  if (end) cudaEventDestroy(end);
  return done;
}

bool time_sustain(struct check *check, timed_work *work, void *context, double least, double *seconds,
                  struct error *error) {
  if (!time_measure(check, work, context, 1, seconds, error)) return false;
  const double runs = least / fmax(*seconds, 1e-7);
  return runs < 1 || time_measure(check, work, context, (int)fmin(runs + 1, 1e6), seconds, error);
}
