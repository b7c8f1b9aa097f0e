/* The emulator itself: what it computes, and what it refuses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "host/model/half.h"
#include "machine.h"
#include "probes.h"

static const uint32_t schedules[] = {SIMT_LOWEST_FIRST, SIMT_HIGHEST_FIRST, SIMT_RANDOM, SIMT_RANDOM + 1};
#define SCHEDULES (sizeof schedules / sizeof *schedules)

static int32_t reversed_wrongly(bool dynamic, bool barrier, uint32_t schedule) {
  int32_t out[2 * PROBE_THREADS], wrong = 0;
  simt_schedule(schedule);
  assert_launched(probe_reverse(dynamic, barrier, 2, out));
  for (int32_t i = 0; i < 2 * PROBE_THREADS; i++) wrong += out[i] != PROBE_THREADS - 1 - i % PROBE_THREADS;
  return wrong;
}

static void a_barrier_makes_writes_visible(void **state) {
  (void)state;
  for (size_t i = 0; i < SCHEDULES; i++) {
    assert_int_equal(reversed_wrongly(false, true, schedules[i]), 0);
    assert_int_equal(reversed_wrongly(true, true, schedules[i]), 0);
  }
}

static void a_missing_barrier_shows_under_every_schedule(void **state) {
  (void)state;
  for (size_t i = 0; i < SCHEDULES; i++) assert_true(reversed_wrongly(false, false, schedules[i]) > 0);
}

static void shared_memory_starts_poisoned_in_every_block(void **state) {
  (void)state;
  int32_t out[2 * PROBE_THREADS];
  simt_schedule(SIMT_LOWEST_FIRST);
  assert_launched(probe_poison(out));
  for (int32_t i = 0; i < 2 * PROBE_THREADS; i++) assert_int_equal(out[i], -1);
}

static void misuse_fails_the_launch_and_says_why(void **state) {
  (void)state;
  for (int misuse = 0; misuse < PROBE_MISUSES; misuse++)
    for (size_t i = 0; i < SCHEDULES; i++) {
      simt_schedule(schedules[i]);
      if (probe_misuse((enum probe_misuse)misuse) != cudaErrorLaunchFailure || !*simt_failure())
        fail_msg("misuse %d passed under schedule %u", misuse, schedules[i]);
      assert_int_equal(reversed_wrongly(false, true, schedules[i]), 0); /* the next launch works */
      assert_string_equal(simt_failure(), "");
    }
}

static void lanes_exchange_numbers(void **state) {
  (void)state;
  for (size_t i = 0; i < SCHEDULES; i++) {
    int32_t out[5][32];
    simt_schedule(schedules[i]);
    assert_launched(probe_warp(out[0]));
    for (int32_t lane = 0; lane < 32; lane++) {
      assert_int_equal(out[0][lane], 3);
      assert_int_equal(out[1][lane], lane ^ 5);
      assert_int_equal(out[2][lane], lane < 4 ? lane : lane - 4);
      assert_int_equal(out[3][lane], lane < 28 ? lane + 4 : lane);
      assert_int_equal((uint32_t)out[4][lane], 0xaaaaaaaau);
    }
  }
}

static void atomics_add_up(void **state) {
  (void)state;
  int32_t sum = 1;
  assert_launched(probe_atomic(&sum));
  assert_int_equal(sum, 1 + 3 * PROBE_THREADS * (PROBE_THREADS - 1) / 2);
}

static void a_copy_arrives_at_the_wait_and_not_before(void **state) {
  (void)state;
  _Alignas(16) uint16_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[24];
  assert_launched(probe_copy(in, out));
  for (int32_t i = 0; i < 8; i++) {
    assert_int_equal(out[i], 0xffff);
    assert_int_equal(out[8 + i], in[i]);
    assert_int_equal(out[16 + i], 0);
  }
}

static void mma_multiplies_the_fragments_that_ldmatrix_loads(void **state) {
  (void)state;
  struct random random = {9};
  uint16_t *a = halves_random(&random, 256, 0, 1), *b = halves_random(&random, 128, 0, 1);
  float *d = floats_random(&random, 128, 0, 1), right[128];
  for (int32_t row = 0; row < 16; row++)
    for (int32_t column = 0; column < 8; column++) {
      double sum = (double)d[row * 8 + column];
      for (int32_t k = 0; k < 16; k++)
        sum += (double)half_to_float(a[row * 16 + k]) * (double)half_to_float(b[k * 8 + column]);
      right[row * 8 + column] = (float)sum;
    }
  assert_launched(probe_mma(a, b, d, 32));
  for (int32_t i = 0; i < 128; i++) assert_true(fabsf(d[i] - right[i]) < 1e-5f);
  free(a), free(b), free(d);
}

/* Rows 128 bytes apart lie in the same banks; rows 144 bytes apart lie in different banks. */
static void bank_conflicts_are_counted(void **state) {
  (void)state;
  struct random random = {10};
  uint16_t *a = halves_random(&random, 256, 0, 1), *b = halves_random(&random, 128, 0, 1);
  float *d = floats_random(&random, 128, 0, 1);
  simt_counts_clear();
  assert_launched(probe_mma(a, b, d, 144));
  assert_int_equal(simt_counts_read().ldmatrix, 2);
  assert_int_equal(simt_counts_read().ldmatrix_conflicts, 0);
  assert_launched(probe_mma(a, b, d, 128));
  assert_int_equal(simt_counts_read().ldmatrix_conflicts, 2 * 4 * 7);
  assert_int_equal(simt_counts_read().mma, 2);
  free(a), free(b), free(d);
}

static bool same_half(uint16_t a, uint16_t b) {
  return a == b || (isnan(half_to_float(a)) && isnan(half_to_float(b)));
}

static void halves_are_the_compilers(void **state) {
  (void)state;
  for (uint32_t bits = 0; bits <= 0xffff; bits++) {
    const float value = half_to_float((uint16_t)bits);
    const float ours = probe_half_to_float((uint16_t)bits);
    assert_true(isnan(value) ? isnan(ours) : memcmp(&ours, &value, sizeof value) == 0);
    /* The number, the border to the next number, and a float on each side of that border. */
    const float border = value + 0.5f * (half_to_float((uint16_t)(bits + 1)) - value);
    const float tests[] = {value, border, nextafterf(border, INFINITY), nextafterf(border, -INFINITY)};
    for (int i = 0; i < 4; i++)
      assert_true(same_half(probe_half_from_float(tests[i]), half_from_float(tests[i])));
  }
  assert_int_equal(probe_half_from_float(65519.996f), 0x7bff);
  assert_int_equal(probe_half_from_float(65520.0f), 0x7c00);
  assert_int_equal(probe_half_from_float(-1e30f), 0xfc00);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_barrier_makes_writes_visible),
      cmocka_unit_test(a_missing_barrier_shows_under_every_schedule),
      cmocka_unit_test(shared_memory_starts_poisoned_in_every_block),
      cmocka_unit_test(misuse_fails_the_launch_and_says_why),
      cmocka_unit_test(lanes_exchange_numbers),
      cmocka_unit_test(atomics_add_up),
      cmocka_unit_test(a_copy_arrives_at_the_wait_and_not_before),
      cmocka_unit_test(mma_multiplies_the_fragments_that_ldmatrix_loads),
      cmocka_unit_test(bank_conflicts_are_counted),
      cmocka_unit_test(halves_are_the_compilers),
  };
  return fixture_run("machine", tests, sizeof tests / sizeof *tests, argc, argv);
}
