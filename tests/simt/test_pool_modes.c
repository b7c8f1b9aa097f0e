/* The kernel that pools in several modes, and the activation kernel, in the emulator, against their twins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cuda/twins.h"
#include "fixture.h"
#include "host/model/half.h"

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof *(array)))

struct modes {
  uint16_t *state; /* [tokens, hidden] */
  int32_t *offsets;
  int32_t sequences, hidden, prompt_tokens;
  struct pooling pooling;
};

static const int32_t lengths[] = {1, 2, 3, 17, 70};
static const struct pooling all = {POOLING_MODES,
                                   {POOLING_WEIGHTED_MEAN, POOLING_LAST_TOKEN, POOLING_MAX, POOLING_MEAN,
                                    POOLING_CLS, POOLING_MEAN_SQRT_LEN}};

static struct modes modes_make(int32_t hidden, const struct pooling *pooling) {
  struct random random = {(uint64_t)hidden};
  struct modes modes = {.offsets = offsets_make(lengths, COUNT(lengths)),
                        .sequences = COUNT(lengths),
                        .hidden = hidden,
                        .pooling = *pooling};
  modes.state = halves_random(&random, (size_t)(modes.offsets[COUNT(lengths)] * hidden), -0.1f, 1);
  return modes;
}

static void modes_free(struct modes *modes) {
  free(modes->state);
  free(modes->offsets);
}

static size_t modes_bytes(const struct modes *modes) {
  return (size_t)modes->sequences * (size_t)(modes->pooling.count * modes->hidden) * sizeof(uint16_t);
}

static void launch(void *context, void *out) {
  const struct modes *modes = context;
  assert_launched(kernel_pool_modes(modes->state, modes->offsets, modes->sequences, modes->hidden,
                                    &modes->pooling, modes->prompt_tokens, out, NULL));
}

/* Sums have another order than the twin's; the other modes take a number as it is. */
static bool is_exact(enum pooling_mode mode) {
  return mode == POOLING_CLS || mode == POOLING_MAX || mode == POOLING_LAST_TOKEN;
}

static void modes_check(const struct modes *modes) {
  const int32_t hidden = modes->hidden, count = modes->pooling.count;
  uint16_t *out = memory_poisoned(modes_bytes(modes)), *right = memory_poisoned(modes_bytes(modes));
  schedules_run(launch, (void *)modes, out, modes_bytes(modes));
  twin_pool_modes(modes->state, modes->offsets, modes->sequences, hidden, &modes->pooling,
                  modes->prompt_tokens, right);
  for (int32_t s = 0; s < modes->sequences; s++)
    for (int32_t m = 0; m < count; m++)
      for (int32_t i = 0; i < hidden; i++) {
        const int64_t at = ((int64_t)s * count + m) * hidden + i;
        const float value = half_to_float(out[at]), expected = half_to_float(right[at]);
        const float allowed = is_exact(modes->pooling.mode[m]) ? 0 : fabsf(expected) * 0x1p-10f + 0x1p-14f;
        if (!(fabsf(value - expected) <= allowed))
          fail_msg("hidden %d, sequence %d, mode %d, column %d: %g instead of %g", hidden, s,
                   (int)modes->pooling.mode[m], i, (double)value, (double)expected);
      }
  free(out);
  free(right);
}

/* Hidden sizes with many groups of threads, with two, with one, and with more columns than threads. */
static void modes_stand_side_by_side(void **state) {
  static const int32_t hidden_sizes[] = {8, 384, 1024, 2048};
  (void)state;
  for (int32_t i = 0; i < COUNT(hidden_sizes); i++) {
    struct modes modes = modes_make(hidden_sizes[i], &all);
    modes_check(&modes);
    modes_free(&modes);
  }
}

static void each_mode_pools_by_itself(void **state) {
  (void)state;
  for (int i = 0; i < POOLING_MODES; i++) {
    const struct pooling one = {1, {(enum pooling_mode)i}};
    struct modes modes = modes_make(128, &one);
    modes_check(&modes);
    modes_free(&modes);
  }
}

/* Sequences of one and two tokens have nothing left; their rows are zero, but for cls. */
static void prompt_tokens_are_left_out(void **state) {
  (void)state;
  struct modes modes = modes_make(64, &all);
  modes.prompt_tokens = 2;
  modes_check(&modes);
  uint16_t *out = memory_poisoned(modes_bytes(&modes));
  launch(&modes, out);
  for (int32_t m = 0; m < POOLING_MODES; m++)
    for (int32_t i = 0; i < 64 && all.mode[m] != POOLING_CLS; i++) assert_int_equal(out[m * 64 + i], 0);
  free(out);
  modes_free(&modes);
}

static void a_nan_stays_in_every_mode(void **state) {
  (void)state;
  struct modes modes = modes_make(64, &all);
  const int32_t first = modes.offsets[4], last = modes.offsets[5] - 1;
  uint16_t *out = memory_poisoned(modes_bytes(&modes));
  for (int32_t t = first; t <= last; t += t == first ? 33 : 36) modes.state[t * 64 + 5] = 0x7e00;
  launch(&modes, out);
  for (int32_t m = 0; m < POOLING_MODES; m++) {
    const uint16_t *row = out + (4 * POOLING_MODES + m) * 64;
    assert_true(isnan(half_to_float(row[5])));
    assert_false(isnan(half_to_float(row[4])));
  }
  free(out);
  modes_free(&modes);
}

struct activated {
  enum activation activation;
  int32_t rows, columns;
  uint16_t *values; /* before */
};

static void activate(void *context, void *out) {
  const struct activated *activated = context;
  const size_t count = (size_t)(activated->rows * activated->columns);
  for (size_t i = 0; i < count; i++) ((uint16_t *)out)[i] = activated->values[i];
  assert_launched(kernel_activate(activated->activation, activated->rows, activated->columns, out, NULL));
}

/* Numbers of every size, infinities and a NaN too; more than one block of threads, the last one not full. */
static void activations_are_the_twin_s(void **state) {
  static const uint16_t special[] = {0x0000, 0x8000, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x0001, 0x7e00};
  (void)state;
  for (int i = 0; activation_name((enum activation)i); i++) {
    struct random random = {7};
    struct activated activated = {(enum activation)i, 67, 40, halves_random(&random, 67 * 40, 0, 2)};
    const int32_t count = activated.rows * activated.columns;
    uint16_t *out = memory_poisoned((size_t)count * sizeof *out), *right = memory_poisoned((size_t)count * 2);
    for (int32_t k = 0; k < COUNT(special); k++) activated.values[count - 1 - k] = special[k];
    schedules_run(activate, &activated, out, (size_t)count * sizeof *out);
    for (int32_t k = 0; k < count; k++) right[k] = activated.values[k];
    twin_activate(activated.activation, activated.rows, activated.columns, right);
    for (int32_t k = 0; k < count; k++) {
      const float value = half_to_float(out[k]), expected = half_to_float(right[k]);
      if (isnan(expected) ? isnan(value) : value == expected) continue;
      if (!(fabsf(value - expected) <= fabsf(expected) * 0x1p-10f + 0x1p-22f))
        fail_msg("%s of %g: %g instead of %g", activation_name(activated.activation),
                 (double)half_to_float(activated.values[k]), (double)value, (double)expected);
    }
    free(activated.values);
    free(out);
    free(right);
  }
}

static void what_cannot_run_is_refused(void **state) {
  (void)state;
  struct modes modes = modes_make(64, &all);
  uint16_t *out = memory_poisoned(modes_bytes(&modes));
  const struct pooling none = {0, {POOLING_CLS}}, many = {POOLING_MODES + 1, {POOLING_CLS}};
  const struct {
    int32_t sequences, hidden, prompt_tokens;
    const struct pooling *pooling;
    uint16_t *out;
  } cases[] = {{0, 64, 0, &all, out},    {1, 60, 0, &all, out},  {1, 2056, 0, &all, out},
               {1, 64, -1, &all, out},   {1, 64, 0, &none, out}, {1, 64, 0, &many, out},
               {1, 64, 0, &all, out + 1}};
  for (int32_t i = 0; i < COUNT(cases); i++)
    assert_int_equal(kernel_pool_modes(modes.state, modes.offsets, cases[i].sequences, cases[i].hidden,
                                       cases[i].pooling, cases[i].prompt_tokens, cases[i].out, NULL),
                     cudaErrorInvalidValue);
  assert_int_equal(kernel_activate(ACTIVATION_TANH, 1, 12, out, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_activate(ACTIVATION_TANH, 0, 16, out, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_activate(ACTIVATION_TANH, 1, 16, out + 1, NULL), cudaErrorInvalidValue);
  free(out);
  modes_free(&modes);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(modes_stand_side_by_side),   cmocka_unit_test(each_mode_pools_by_itself),
      cmocka_unit_test(prompt_tokens_are_left_out), cmocka_unit_test(a_nan_stays_in_every_mode),
      cmocka_unit_test(activations_are_the_twin_s), cmocka_unit_test(what_cannot_run_is_refused),
  };
  return fixture_run("pool_modes", tests, sizeof tests / sizeof *tests, argc, argv);
}
