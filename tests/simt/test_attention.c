/* The attention kernel in the emulator, against its twin. */
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

#define HALF_STEP 0x1p-11f    /* rounding to fp16: relative */
#define HALF_SMALLEST 0x1p-24 /* … and the smallest step */
#define HALF_MAX 65504.0f

/* A batch, and how its attention is run. */
struct fixture {
  int32_t heads, head_size, tokens;
  float scale;
  int32_t *offsets;
  uint16_t *qkv; /* [tokens, 3, heads, head_size] */
  struct attention_plan plan;
  struct attention_tile *tiles;
  uint16_t *context; /* [tokens, heads, head_size] */
};

static size_t context_bytes(const struct fixture *fixture) {
  return (size_t)fixture->tokens * (size_t)(fixture->heads * fixture->head_size) * sizeof(uint16_t);
}

/* rows 0: the plan that the encoder would make. */
static void fixture_plan(struct fixture *fixture, int32_t sequences, int32_t rows) {
  fixture->plan = attention_plan_make(fixture->offsets, sequences, fixture->head_size);
  if (rows != 0) {
    fixture->plan = (struct attention_plan){rows, 0};
    for (int32_t s = 0; s < sequences; s++)
      fixture->plan.tiles += (fixture->offsets[s + 1] - fixture->offsets[s] + rows - 1) / rows;
  }
  fixture->tiles = memory_poisoned((size_t)fixture->plan.tiles * sizeof *fixture->tiles);
  twin_attention_tiles(&fixture->plan, fixture->offsets, sequences, fixture->tiles);
}

static struct fixture fixture_make(const int32_t *lengths, int32_t sequences, int32_t heads,
                                   int32_t head_size, int32_t rows, uint64_t seed) {
  struct random random = {seed};
  struct fixture fixture = {.heads = heads, .head_size = head_size};
  fixture.scale = 1 / sqrtf((float)head_size);
  fixture.offsets = offsets_make(lengths, sequences);
  fixture.tokens = fixture.offsets[sequences];
  fixture.qkv = halves_random(&random, 3 * context_bytes(&fixture) / sizeof(uint16_t), 0, 1.5f);
  fixture.context = memory_poisoned(context_bytes(&fixture));
  fixture_plan(&fixture, sequences, rows);
  return fixture;
}

static void fixture_free(struct fixture *fixture) {
  free(fixture->offsets);
  free(fixture->qkv);
  free(fixture->tiles);
  free(fixture->context);
}

/* One token's vector in one head: part 0 (q), 1 (k) or 2 (v). */
static uint16_t *part_of(const struct fixture *fixture, int64_t token, int32_t part, int32_t head) {
  return fixture->qkv + ((token * 3 + part) * fixture->heads + head) * fixture->head_size;
}

static void launch(void *context, void *out) {
  const struct fixture *fixture = context;
  assert_launched(kernel_attention(&fixture->plan, fixture->tiles, fixture->qkv, fixture->heads,
                                   fixture->head_size, fixture->scale, out, NULL));
}

/* Returns [tokens, head_size] fp32: one part in one head for a whole sequence. */
static float *part_convert(const struct fixture *fixture, const struct attention_tile *tile, int32_t part,
                           int32_t head) {
  float *floats = memory_poisoned((size_t)tile->tokens * (size_t)fixture->head_size * sizeof *floats);
  for (int32_t t = 0; t < tile->tokens; t++)
    for (int32_t i = 0; i < fixture->head_size; i++)
      floats[t * fixture->head_size + i] = half_to_float(part_of(fixture, tile->first + t, part, head)[i]);
  return floats;
}

/* The kernel may round each weight, by a relative error or by fp16's smallest step, and then the result. */
static void row_check(const struct fixture *fixture, const struct attention_tile *tile, int32_t head,
                      int32_t query, const double *out, const double *spread) {
  const uint16_t *row =
      fixture->context + ((int64_t)(tile->first + query) * fixture->heads + head) * fixture->head_size;
  for (int32_t i = 0; i < fixture->head_size; i++) {
    const double value = (double)half_to_float(row[i]);
    const double allowed =
        1.5 * HALF_STEP * (spread[i] + fabs(out[i])) + HALF_SMALLEST * (1 + tile->tokens * spread[i]);
    if (!(fabs(value - out[i]) <= allowed))
      fail_msg("sequence at %d, head %d, query %d of %d, number %d: %g instead of %g, allowed %g",
               tile->first, head, query, tile->tokens, i, value, out[i], allowed);
  }
}

/* Checks every `step`-th query in each tile, and the last query. */
static void tiles_check(const struct fixture *fixture, int32_t step) {
  double out[128], spread[128];
  for (int32_t i = 0; i < fixture->plan.tiles; i++) {
    const struct attention_tile *tile = &fixture->tiles[i];
    double *weight = memory_poisoned((size_t)tile->tokens * sizeof *weight);
    for (int32_t head = 0; head < fixture->heads; head++) {
      float *q = part_convert(fixture, tile, 0, head), *k = part_convert(fixture, tile, 1, head),
            *v = part_convert(fixture, tile, 2, head);
      const int32_t end =
          tile->query + fixture->plan.rows < tile->tokens ? tile->query + fixture->plan.rows : tile->tokens;
      for (int32_t t = tile->query; t < end; t = t < end - 1 && t + step >= end ? end - 1 : t + step) {
        twin_attention_query(q + t * fixture->head_size, k, v, tile->tokens, fixture->head_size,
                             fixture->scale, weight, out, spread);
        row_check(fixture, tile, head, t, out, spread);
      }
      free(q), free(k), free(v);
    }
    free(weight);
  }
}

static void fixture_check(struct fixture *fixture, int32_t step) {
  schedules_run(launch, fixture, fixture->context, context_bytes(fixture));
  tiles_check(fixture, step);
}

/* --- Promises ------------------------------------------------------------------------------------------- */

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof *(array)))

static const int32_t border_lengths[] = {1,  2,  7,  8,  9,   15,  16,  17,  31,  32,  33,
                                         63, 64, 65, 96, 127, 128, 129, 191, 192, 193, 257};

static void context_is_right_at_every_tile_border(void **state) {
  (void)state;
  static const int32_t variants[][2] = {{32, 64}, {32, 128}, {64, 64}, {64, 128}, {128, 64}};
  for (int32_t i = 0; i < COUNT(variants); i++) {
    struct fixture fixture =
        fixture_make(border_lengths, COUNT(border_lengths), 1, variants[i][0], variants[i][1], 7);
    fixture_check(&fixture, 5);
    fixture_free(&fixture);
  }
}

static void context_is_right_for_random_batches(void **state) {
  (void)state;
  struct random random = {11};
  for (int32_t i = 0; i < 6; i++) {
    int32_t lengths[8];
    const int32_t sequences = 1 + (int32_t)random_below(&random, COUNT(lengths));
    for (int32_t s = 0; s < sequences; s++) lengths[s] = 1 + (int32_t)random_below(&random, 140);
    const int32_t head_size = 32 << random_below(&random, 3), heads = 1 + (int32_t)random_below(&random, 3);
    struct fixture fixture = fixture_make(lengths, sequences, heads, head_size, 0, 100 + (uint64_t)i);
    fixture_check(&fixture, 7);
    fixture_free(&fixture);
  }
}

/* A sequence gives the same bits in a large batch, alone, and in tiles of either size. */
static void rows_do_not_depend_on_plan_or_neighbours(void **state) {
  (void)state;
  static const int32_t lengths[] = {70, 150, 3};
  for (int32_t head_size = 32; head_size <= 64; head_size *= 2) {
    struct fixture many = fixture_make(lengths, 3, 2, head_size, 64, 13);
    struct fixture alone = fixture_make(lengths + 1, 1, 2, head_size, 128, 14);
    const size_t row = (size_t)(2 * head_size);
    memcpy(alone.qkv, many.qkv + 70 * 3 * row, 150 * 3 * row * sizeof(uint16_t));
    launch(&many, many.context);
    launch(&alone, alone.context);
    assert_memory_equal(alone.context, many.context + 70 * row, context_bytes(&alone));
    fixture_free(&many);
    fixture_free(&alone);
  }
}

static void values_set(const struct fixture *fixture, int64_t token, int32_t part, float value) {
  for (int32_t i = 0; i < fixture->heads * fixture->head_size; i++)
    part_of(fixture, token, part, 0)[i] = half_from_float(value);
}

/* If all logits are equal, even if they are zero or as low or high as fp16 allows, the result is the mean of
 * v. Here all numbers in v are the same. */
static void equal_logits_give_the_mean(void **state) {
  (void)state;
  static const int32_t lengths[] = {200};
  static const float keys[] = {0, -HALF_MAX, HALF_MAX};
  for (int32_t i = 0; i < COUNT(keys); i++) {
    struct fixture fixture = fixture_make(lengths, 1, 1, 64, 0, 17);
    for (int32_t t = 0; t < fixture.tokens; t++) {
      values_set(&fixture, t, 0, HALF_MAX);
      values_set(&fixture, t, 1, keys[i]);
      values_set(&fixture, t, 2, HALF_MAX);
    }
    launch(&fixture, fixture.context);
    for (int32_t n = 0; n < fixture.tokens * 64; n++)
      assert_int_equal(fixture.context[n], half_from_float(HALF_MAX));
    fixture_free(&fixture);
  }
}

/* Logits of ±2^31: each query sees only one key, its own, at any position. */
static void the_largest_logit_takes_all(void **state) {
  (void)state;
  static const int32_t lengths[] = {64};
  struct fixture fixture = fixture_make(lengths, 1, 1, 64, 0, 19);
  for (int32_t t = 0; t < 64; t++)
    for (int32_t i = 0; i < 64; i++) {
      part_of(&fixture, t, 0, 0)[i] = half_from_float(i == t ? 32768.0f : 0);
      part_of(&fixture, t, 1, 0)[i] = half_from_float(i == t ? 65504.0f : -65504.0f);
    }
  launch(&fixture, fixture.context);
  for (int32_t t = 0; t < 64; t++)
    assert_memory_equal(fixture.context + t * 64, part_of(&fixture, t, 2, 0), 64 * sizeof(uint16_t));
  fixture_free(&fixture);
}

/* Steep logits rise along the sequence, so every tile raises the peak. After the sequence comes a NaN. */
static void peaks_that_rise_keep_the_sums_right(void **state) {
  (void)state;
  static const int32_t lengths[] = {300, 5};
  struct fixture fixture = fixture_make(lengths, 2, 1, 64, 64, 23);
  for (int32_t t = 0; t < 300; t++) {
    part_of(&fixture, t, 0, 0)[0] = half_from_float(8.0f);
    part_of(&fixture, t, 1, 0)[0] = half_from_float((float)t * 0.25f);
  }
  for (int32_t t = 300; t < 305; t++) values_set(&fixture, t, 2, NAN);
  fixture.plan.tiles--; /* the tile of the second sequence, whose rows are NaN */
  launch(&fixture, fixture.context);
  tiles_check(&fixture, 1);
  fixture_free(&fixture);
}

/* Checks three tiles of the longest sequence (first, middle, last), or all tiles in a full test. */
static void context_is_right_for_8192_tokens(void **state) {
  (void)state;
  static const int32_t lengths[] = {3, 8192};
  struct fixture fixture = fixture_make(lengths, 2, 1, 64, 0, 29);
  assert_int_equal(fixture.plan.rows, 128);
  const int32_t tiles = fixture.plan.tiles;
  if (!fixture_is_full()) {
    fixture.tiles[0] = fixture.tiles[1];
    fixture.tiles[1] = fixture.tiles[tiles / 2];
    fixture.tiles[2] = fixture.tiles[tiles - 1];
    fixture.plan.tiles = 3;
  }
  fixture_check(&fixture, 31);
  fixture_free(&fixture);
}

/* The costs that the kernel's header promises: no bank conflicts, k and v loaded once per tile, and no mma
 * beyond the 16 keys that contain a sequence's end. */
static void costs_are_those_of_the_header(void **state) {
  (void)state;
  static const int32_t lengths[] = {20, 64, 130};
  for (int32_t head_size = 32; head_size <= 128; head_size *= 2) {
    struct fixture fixture = fixture_make(lengths, 3, 2, head_size, 64, 31);
    uint64_t mma = 0, copied = 0;
    for (int32_t i = 0; i < fixture.plan.tiles; i++) {
      const uint64_t tokens = (uint64_t)fixture.tiles[i].tokens, query = (uint64_t)fixture.tiles[i].query;
      const uint64_t rows = tokens - query < 64 ? tokens - query : 64;
      const uint64_t blocks = (rows + 15) / 16 * ((tokens + 15) / 16);
      mma += blocks * (2 * ((uint64_t)head_size / 8) + 1) * 2;
      copied += (rows + 2 * tokens) * (uint64_t)head_size * 2 * 2;
    }
    simt_counts_clear();
    launch(&fixture, fixture.context);
    const struct simt_counts counts = simt_counts_read();
    assert_int_equal(counts.blocks, fixture.plan.tiles * 2);
    assert_int_equal(counts.mma, mma);
    assert_int_equal(counts.copied, copied);
    assert_int_equal(counts.ldmatrix_conflicts, 0);
    fixture_free(&fixture);
  }
}

static void what_cannot_run_is_refused(void **state) {
  (void)state;
  static const int32_t lengths[] = {4};
  struct fixture f = fixture_make(lengths, 1, 1, 64, 64, 37);
  const struct attention_plan none = {64, 0}, odd = {32, 1};
  assert_int_equal(kernel_attention(&none, f.tiles, f.qkv, 1, 64, 1, f.context, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_attention(&odd, f.tiles, f.qkv, 1, 64, 1, f.context, NULL), cudaErrorInvalidValue);
  assert_int_equal(kernel_attention(&f.plan, f.tiles, f.qkv, 1, 48, 1, f.context, NULL),
                   cudaErrorInvalidValue);
  assert_int_equal(kernel_attention(&f.plan, f.tiles, f.qkv, 1, 0, 1, f.context, NULL),
                   cudaErrorInvalidValue);
  assert_int_equal(kernel_attention(&f.plan, f.tiles, f.qkv, 1, 64, 0, f.context, NULL),
                   cudaErrorInvalidValue);
  assert_int_equal(kernel_attention(&f.plan, f.tiles, f.qkv + 1, 1, 64, 1, f.context, NULL),
                   cudaErrorInvalidValue);
  fixture_free(&f);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_cannot_run_is_refused),
      cmocka_unit_test(equal_logits_give_the_mean),
      cmocka_unit_test(the_largest_logit_takes_all),
      cmocka_unit_test(peaks_that_rise_keep_the_sums_right),
      cmocka_unit_test(costs_are_those_of_the_header),
      cmocka_unit_test(rows_do_not_depend_on_plan_or_neighbours),
      cmocka_unit_test(context_is_right_for_random_batches),
      cmocka_unit_test(context_is_right_at_every_tile_border),
      cmocka_unit_test(context_is_right_for_8192_tokens),
  };
  return fixture_run("attention", tests, sizeof tests / sizeof *tests, argc, argv);
}
