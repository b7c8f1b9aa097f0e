/* Attention's tile list: the device writes exactly what the host plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cuda/twins.h"
#include "fixture.h"
#include "machine.h"

struct tiles {
  struct attention_plan plan;
  int32_t *offsets;
  int32_t sequences;
};

static void launch(void *context, void *out) {
  const struct tiles *tiles = context;
  assert_launched(kernel_attention_tiles(&tiles->plan, tiles->offsets, tiles->sequences, out, NULL));
}

static void tiles_check(const int32_t *lengths, int32_t sequences, int32_t head_size) {
  struct tiles it = {.offsets = offsets_make(lengths, sequences), .sequences = sequences};
  it.plan = attention_plan_make(it.offsets, sequences, head_size);
  const size_t bytes = (size_t)it.plan.tiles * sizeof(struct attention_tile);
  struct attention_tile *tiles = memory_poisoned(bytes), *twin = memory_poisoned(bytes);
  twin_attention_tiles(&it.plan, it.offsets, sequences, twin);
  schedules_run(launch, &it, tiles, bytes);
  assert_memory_equal(tiles, twin, bytes);
  assert_true(it.plan.tiles <= attention_tiles_max(it.offsets[sequences], sequences));
  free(tiles);
  free(twin);
  free(it.offsets);
}

static void device_and_host_agree_on_the_tiles(void **state) {
  (void)state;
  static const int32_t counts[] = {1, 2, 255, 256, 257, 1000};
  struct random random = {3};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    int32_t *lengths = memory_poisoned((size_t)counts[i] * sizeof *lengths);
    for (int32_t s = 0; s < counts[i]; s++) lengths[s] = 1 + (int32_t)random_below(&random, 300);
    tiles_check(lengths, counts[i], 64);
    free(lengths);
  }
}

static void long_sequences_get_the_large_tiles(void **state) {
  (void)state;
  static const int32_t long_one[] = {3, 8192, 100}, short_ones[] = {511, 64};
  tiles_check(long_one, 3, 64);
  const int32_t offsets[] = {0, 3, 8195, 8295}, short_offsets[] = {0, 511, 575};
  assert_int_equal(attention_plan_make(offsets, 3, 64).rows, 128);
  assert_int_equal(attention_plan_make(offsets, 3, 64).tiles, 1 + 64 + 1);
  assert_int_equal(attention_plan_make(offsets, 3, 128).rows, 64); /* heads of 128 have small tiles only */
  assert_int_equal(attention_plan_make(short_offsets, 2, 64).rows, 64);
  assert_int_equal(attention_plan_make(short_offsets, 2, 64).tiles, 8 + 1);
  tiles_check(short_ones, 2, 64);
}

static void what_cannot_run_is_refused(void **state) {
  (void)state;
  const struct attention_plan plan = {64, 1}, none = {64, 0};
  const int32_t offsets[] = {0, 1};
  struct attention_tile tile;
  assert_int_equal(kernel_attention_tiles(&none, offsets, 1, &tile, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_attention_tiles(&plan, offsets, 0, &tile, NULL), cudaErrorInvalidValue);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(device_and_host_agree_on_the_tiles),
      cmocka_unit_test(long_sequences_get_the_large_tiles),
      cmocka_unit_test(what_cannot_run_is_refused),
  };
  return fixture_run("tiles", tests, sizeof tests / sizeof *tests, argc, argv);
}
