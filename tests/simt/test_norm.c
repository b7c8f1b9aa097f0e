/* The embedding and LayerNorm kernels in the emulator, against their twins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cuda/twins.h"
#include "fixture.h"
#include "host/model/half.h"
#include "machine.h"

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof *(array)))

/* Sizes around a lane's chunk and around a kernel variant's limit; 1024 is bge-m3, 384 is e5-small. */
static const int32_t hidden_sizes[] = {8, 248, 256, 264, 384, 512, 520, 1024, 1032, 2048};

static struct kernel_norm norm_make(struct random *random, int32_t hidden) {
  return (struct kernel_norm){floats_random(random, (size_t)hidden, 1, 0.3f),
                              floats_random(random, (size_t)hidden, 0, 0.3f), 1e-5f};
}

static void norm_free(struct kernel_norm *norm) {
  free((void *)norm->weight);
  free((void *)norm->bias);
}

/* Compares fp16 numbers, which may differ by one step: the kernel uses fp32, the twin fp64, so a number near
 * a border may round differently. */
static void halves_check(const uint16_t *halves, const uint16_t *expected, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const float value = half_to_float(halves[i]), twin = half_to_float(expected[i]);
    if (!(fabsf(value - twin) <= fabsf(twin) * 0x1p-10f + 0x1p-20f))
      fail_msg("number %zu: %g instead of %g", i, (double)value, (double)twin);
  }
}

/* --- LayerNorm ------------------------------------------------------------------------------------------ */

struct layer_norm {
  struct kernel_norm norm;
  const uint16_t *x;
  int32_t tokens, hidden;
};

static void layer_norm_launch(void *context, void *out) {
  const struct layer_norm *it = context;
  assert_launched(kernel_layer_norm(&it->norm, it->x, it->tokens, it->hidden, out, NULL));
}

static void layer_norm_check(int32_t tokens, int32_t hidden, float mean, float deviation) {
  struct random random = {(uint64_t)(tokens * 10000 + hidden)};
  const size_t count = (size_t)tokens * (size_t)hidden;
  struct layer_norm it = {norm_make(&random, hidden), halves_random(&random, count, mean, deviation), tokens,
                          hidden};
  uint16_t *y = memory_poisoned(count * sizeof *y), *twin = memory_poisoned(count * sizeof *twin);
  schedules_run(layer_norm_launch, &it, y, count * sizeof *y);
  twin_layer_norm(&it.norm, it.x, tokens, hidden, twin);
  halves_check(y, twin, count);
  norm_free(&it.norm);
  free((void *)it.x);
  free(y);
  free(twin);
}

static void norm_is_right_for_every_size(void **state) {
  (void)state;
  for (int32_t i = 0; i < COUNT(hidden_sizes); i++)
    for (int32_t tokens = 1; tokens <= 17; tokens += 8) layer_norm_check(tokens, hidden_sizes[i], 0, 2);
}

/* The mean is 500 times the deviation: E[x²] - E[x]² in fp32 would be off by a third. */
static void variance_survives_a_large_mean(void **state) {
  (void)state;
  layer_norm_check(3, 1024, 1000, 2);
}

static void norm_of_extreme_rows_is_finite(void **state) {
  (void)state;
  enum { HIDDEN = 384 };
  struct random random = {5};
  struct layer_norm it = {norm_make(&random, HIDDEN), NULL, 3, HIDDEN};
  uint16_t *x = halves_random(&random, 3 * HIDDEN, 0, 0), y[3 * HIDDEN], twin[3 * HIDDEN];
  for (int32_t i = 0; i < HIDDEN; i++) {
    x[i] = half_from_float(i % 2 ? 65504.0f : -65504.0f);
    x[HIDDEN + i] = half_from_float(65504.0f); /* no variance: only epsilon keeps it finite */
    x[2 * HIDDEN + i] = 1;                     /* the smallest subnormal */
  }
  it.x = x;
  uint16_t *out = memory_poisoned(sizeof y);
  layer_norm_launch(&it, out);
  twin_layer_norm(&it.norm, x, 3, HIDDEN, twin);
  halves_check(out, twin, 3 * HIDDEN);
  norm_free(&it.norm);
  free(x);
  free(out);
}

static void norm_may_be_in_place(void **state) {
  (void)state;
  struct random random = {6};
  struct layer_norm it = {norm_make(&random, 384), NULL, 9, 384};
  uint16_t *x = halves_random(&random, 9 * 384, 0, 1), *y = memory_poisoned(9 * 384 * sizeof *y);
  it.x = x;
  layer_norm_launch(&it, y);
  layer_norm_launch(&it, x);
  assert_memory_equal(x, y, 9 * 384 * sizeof *y);
  norm_free(&it.norm);
  free(x);
  free(y);
}

/* --- Embedding ------------------------------------------------------------------------------------------ */

struct embedding {
  struct kernel_embedding_tables tables;
  struct kernel_norm norm;
  int32_t *ids, *offsets;
  int32_t sequences, hidden;
};

static void embedding_launch(void *context, void *out) {
  const struct embedding *it = context;
  assert_launched(kernel_embedding(&it->tables, &it->norm, it->ids, it->offsets, it->sequences,
                                   it->offsets[it->sequences], it->hidden, out, NULL));
}

static void embedding_check(const int32_t *lengths, int32_t sequences, int32_t hidden,
                            int32_t first_position) {
  enum { VOCABULARY = 50 };
  struct random random = {(uint64_t)(sequences * 10000 + hidden)};
  int32_t longest = 0;
  for (int32_t s = 0; s < sequences; s++) longest = lengths[s] > longest ? lengths[s] : longest;
  uint16_t *word = halves_random(&random, (size_t)(VOCABULARY * hidden), 0, 1);
  uint16_t *position = halves_random(&random, (size_t)((first_position + longest) * hidden), 0, 1);
  uint16_t *type = halves_random(&random, (size_t)hidden, 0, 1);
  struct embedding it = {.tables = {word, position, type, first_position},
                         .norm = norm_make(&random, hidden),
                         .offsets = offsets_make(lengths, sequences),
                         .sequences = sequences,
                         .hidden = hidden};
  const int32_t tokens = it.offsets[sequences];
  it.ids = memory_poisoned((size_t)tokens * sizeof *it.ids);
  for (int32_t t = 0; t < tokens; t++) it.ids[t] = (int32_t)random_below(&random, VOCABULARY);
  it.ids[tokens - 1] = VOCABULARY - 1;
  if (first_position > 0) it.ids[tokens / 3] = it.ids[tokens / 2] = first_position - 1;

  const size_t count = (size_t)tokens * (size_t)hidden;
  uint16_t *out = memory_poisoned(count * sizeof *out), *twin = memory_poisoned(count * sizeof *twin);
  schedules_run(embedding_launch, &it, out, count * sizeof *out);
  twin_embedding(&it.tables, &it.norm, it.ids, it.offsets, sequences, hidden, twin);
  halves_check(out, twin, count);
  norm_free(&it.norm);
  free(word), free(position), free(type), free(it.ids), free(it.offsets), free(out), free(twin);
}

static void embedding_is_right_for_every_size(void **state) {
  (void)state;
  static const int32_t lengths[] = {1, 2, 5, 1, 1, 7};
  for (int32_t i = 0; i < COUNT(hidden_sizes); i++) embedding_check(lengths, 6, hidden_sizes[i], i % 3);
}

/* One long sequence, and one sequence per token: the two extremes for the search that finds a token's
 * sequence. */
static void every_token_finds_its_position(void **state) {
  (void)state;
  static const int32_t one[] = {67};
  int32_t many[67];
  for (int32_t s = 0; s < COUNT(many); s++) many[s] = 1;
  embedding_check(one, 1, 8, 2);
  embedding_check(many, COUNT(many), 8, 2);
}

static void sizes_that_cannot_run_are_refused(void **state) {
  (void)state;
  struct random random = {7};
  const struct kernel_norm norm = norm_make(&random, 2056);
  const struct kernel_norm odd = {norm.weight + 1, norm.bias, norm.epsilon};
  uint16_t *x = halves_random(&random, 2056, 0, 1);
  assert_int_equal(kernel_layer_norm(&norm, x, 1, 2056, x, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_layer_norm(&norm, x, 1, 12, x, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_layer_norm(&norm, x, 0, 8, x, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_layer_norm(&norm, x + 4, 1, 8, x, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_layer_norm(&odd, x, 1, 8, x, NULL), cudaErrorInvalidValue);
  free((void *)norm.weight), free((void *)norm.bias), free(x);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(norm_is_right_for_every_size),      cmocka_unit_test(variance_survives_a_large_mean),
      cmocka_unit_test(norm_of_extreme_rows_is_finite),    cmocka_unit_test(norm_may_be_in_place),
      cmocka_unit_test(embedding_is_right_for_every_size), cmocka_unit_test(every_token_finds_its_position),
      cmocka_unit_test(sizes_that_cannot_run_are_refused),
  };
  return fixture_run("norm", tests, sizeof tests / sizeof *tests, argc, argv);
}
