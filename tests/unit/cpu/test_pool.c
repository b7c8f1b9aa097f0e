/* Pooling of one sequence, mode by mode, on numbers that are exact in fp32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the headers whose types it uses. */
#include <cmocka.h>
#include <math.h>

#include "host/cpu/pool.h"

#define HIDDEN 3
#define TOKENS 4

static const float state[TOKENS * HIDDEN] = {1, -8, 2, 3, -4, 2, 5, -2, 2, 7, -6, 2};
static const struct pooling all = {POOLING_MODES,
                                   {POOLING_CLS, POOLING_MAX, POOLING_MEAN, POOLING_MEAN_SQRT_LEN,
                                    POOLING_WEIGHTED_MEAN, POOLING_LAST_TOKEN}};

static void check(const struct pooling *pooling, int32_t tokens, int32_t prompt_tokens,
                  const float *expected) {
  float pooled[POOLING_MODES * HIDDEN];
  pool_sequence(pooling, state, HIDDEN, tokens, prompt_tokens, pooled);
  for (int32_t i = 0; i < pooling->count * HIDDEN; i++)
    if (!(fabsf(pooled[i] - expected[i]) <= 1e-6f))
      fail_msg("number %d is %g, expected %g", i, (double)pooled[i], (double)expected[i]);
}

static void modes_stand_side_by_side(void **unused) {
  (void)unused;
  const float expected[] = {1, -8,  2, 7, -2,    2, 4, -5, 2, /* cls, max, mean */
                            8, -10, 4, 5, -4.6f, 2, 7, -6, 2};
  check(&all, TOKENS, 0, expected);
}

static void order_is_the_pooling_s_own(void **unused) {
  (void)unused;
  const struct pooling pooling = {2, {POOLING_LAST_TOKEN, POOLING_CLS}};
  const float expected[] = {5, -2, 2, 1, -8, 2};
  check(&pooling, 3, 0, expected);
}

/* The weights stay those of the whole sequence: 3 and 4. */
static void prompt_is_left_out(void **unused) {
  (void)unused;
  const struct pooling pooling = {
      5, {POOLING_MAX, POOLING_MEAN, POOLING_MEAN_SQRT_LEN, POOLING_WEIGHTED_MEAN, POOLING_LAST_TOKEN}};
  const float root = sqrtf(2);
  const float expected[] = {7,        -2,        2,          6, -4, 2,  12 / root, -8 / root,
                            4 / root, 43.0f / 7, -30.0f / 7, 2, 7,  -6, 2};
  check(&pooling, TOKENS, 2, expected);
}

static void row_is_zero_if_no_token_is_left(void **unused) {
  (void)unused;
  const struct pooling pooling = {
      5, {POOLING_MAX, POOLING_MEAN, POOLING_MEAN_SQRT_LEN, POOLING_WEIGHTED_MEAN, POOLING_LAST_TOKEN}};
  const float zeros[5 * HIDDEN] = {0};
  check(&pooling, 2, 2, zeros);
  check(&pooling, 2, 3, zeros);
}

/* A comparison with a NaN is false: the mode that compares must not lose one. */
static void a_nan_stays_in_every_mode(void **unused) {
  (void)unused;
  for (int i = 0; i < POOLING_MODES; i++)
    for (int32_t bad = 0; bad < TOKENS; bad++) {
      const struct pooling pooling = {1, {(enum pooling_mode)i}};
      float spoiled[TOKENS] = {1, 2, 3, 4}, pooled;
      spoiled[bad] = NAN;
      pool_sequence(&pooling, spoiled, 1, TOKENS, 0, &pooled);
      const bool used = i == POOLING_CLS ? bad == 0 : i == POOLING_LAST_TOKEN ? bad == TOKENS - 1 : true;
      assert_int_equal(isnan(pooled) != 0, used);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(modes_stand_side_by_side),  cmocka_unit_test(order_is_the_pooling_s_own),
      cmocka_unit_test(prompt_is_left_out),        cmocka_unit_test(row_is_zero_if_no_token_is_left),
      cmocka_unit_test(a_nan_stays_in_every_mode),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
