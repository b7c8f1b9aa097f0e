/* The kernels of every instruction set that this machine has, against their definitions in fp64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four headers above. */
#include <cmocka.h>

#include "host/cpu/kernels.h"
#include "tests/unit/cpu/random_model.h"

#define GUARD 0x5a5a

/* The kernels that this processor can run. */
static const struct kernels *tables[ISA_AVX512_BF16 + 1];
static int table_count;

static void tables_find(void) {
  for (int isa = 0; isa <= (int)isa_detect(); isa++)
    if (kernels_of((enum isa)isa)) tables[table_count++] = kernels_of((enum isa)isa);
}

static float *numbers_make(size_t count, float spread, uint64_t *state) {
  float *numbers = aligned_alloc(64, (count * sizeof *numbers + 63) / 64 * 64);
  assert_non_null(numbers);
  for (size_t i = 0; i < count; i++) numbers[i] = spread * random_number(state);
  return numbers;
}

static void assert_near(double got, double wanted, double slack, const char *what) {
  if (!(fabs(got - wanted) <= slack)) fail_msg("%s: %.9g, not %.9g ± %.2g", what, got, wanted, slack);
}

/* Checks that row [hidden] is x [hidden] normalised, and that copy [hidden] is row in bf16. */
static void check_norm(const struct norm_weights *norm, const double *x, const float *row,
                       const uint16_t *copy) {
  double mean = 0, variance = 0;
  for (int32_t i = 0; i < norm->hidden; i++) mean += x[i] / norm->hidden;
  for (int32_t i = 0; i < norm->hidden; i++) variance += (x[i] - mean) * (x[i] - mean) / norm->hidden;
  for (int32_t i = 0; i < norm->hidden; i++) {
    const double wanted = (x[i] - mean) / sqrt(variance + norm->epsilon) * norm->weight[i] + norm->bias[i];
    assert_near(row[i], wanted, 4e-6, "layer norm");
    if (copy) assert_int_equal(copy[i], bfloat_from_float(row[i]));
  }
}

static void layer_norm_is_right(void **state) {
  (void)state;
  static const int32_t sizes[] = {16, 48, 64, 80, 384};
  enum { ROWS = 3 };
  for (int t = 0; t < table_count; t++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      const int32_t hidden = sizes[s];
      const size_t count = ROWS * (size_t)hidden;
      uint64_t seed = 3;
      float *row = numbers_make(count, 4, &seed), *addend = numbers_make(count, 2, &seed);
      float *weight = numbers_make((size_t)hidden, 1, &seed), *bias = numbers_make((size_t)hidden, 1, &seed);
      const struct norm_weights norm = {weight, bias, 1e-5f, hidden};
      uint16_t copy[ROWS * 384];
      double x[ROWS * 384];
      for (size_t i = 0; i < count; i++) {
        row[i] += 30; /* a mean so large that a plain sum of squares would lose the variance */
        x[i] = (double)(row[i] + addend[i]);
      }
      tables[t]->add_norm(&norm, addend, ROWS, row, copy);
      for (int32_t r = 0; r < ROWS; r++)
        check_norm(&norm, x + r * hidden, row + r * hidden, copy + r * hidden);
      free(row);
      free(addend);
      free(weight);
      free(bias);
    }
}

/* Otherwise the row would be the bias, whatever the text. */
static void norm_of_a_variance_that_overflows_is_not_finite(void **state) {
  (void)state;
  enum { HIDDEN = 48 };
  static const float zeros[HIDDEN];
  const struct norm_weights norm = {zeros, zeros, 1e-5f, HIDDEN};
  for (int t = 0; t < table_count; t++) {
    float row[HIDDEN];
    for (int i = 0; i < HIDDEN; i++) row[i] = i % 2 ? 1e20f : -1e20f;
    tables[t]->add_norm(&norm, zeros, 1, row, NULL);
    for (int i = 0; i < HIDDEN; i++) assert_false(isfinite(row[i]));
  }
}

/* The tables start one byte off any alignment, in each stored type. */
static void embedding_is_the_norm_of_word_and_position(void **state) {
  (void)state;
  static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
  enum { HIDDEN = 48, WORDS = 9, TOKENS = 4, FIRST = 2 };
  static const int32_t ids[TOKENS] = {8, 0, 3, 8};
  for (int t = 0; t < table_count; t++)
    for (int type = 0; type < 3; type++) {
      uint64_t seed = 21;
      float *word = numbers_make(WORDS * HIDDEN, 1, &seed);
      float *position = numbers_make((FIRST + TOKENS) * HIDDEN, 1, &seed);
      float *weight = numbers_make(HIDDEN, 1, &seed), *bias = numbers_make(HIDDEN, 1, &seed);
      char *table = malloc(WORDS * HIDDEN * 4 + 1);
      assert_non_null(table);
      for (int i = 0; i < WORDS * HIDDEN; i++) {
        const uint16_t bits =
            types[type] == DTYPE_F16 ? half_from_float(word[i]) : bfloat_from_float(word[i]);
        if (types[type] == DTYPE_F32) {
          memcpy(table + 1 + 4 * i, &word[i], 4);
        } else {
          memcpy(table + 1 + 2 * i, &bits, 2);
          word[i] = types[type] == DTYPE_F16 ? half_to_float(bits) : bfloat_to_float(bits);
        }
      }
      const struct embedding_tables embedding = {table + 1, types[type], position};
      const struct norm_weights norm = {weight, bias, 1e-5f, HIDDEN};
      float row[TOKENS * HIDDEN];
      uint16_t copy[TOKENS * HIDDEN];
      tables[t]->embed(&embedding, &norm, ids, FIRST, TOKENS, row, copy);
      for (int t = 0; t < TOKENS; t++) {
        double x[HIDDEN];
        for (int i = 0; i < HIDDEN; i++)
          x[i] = (double)word[ids[t] * HIDDEN + i] + position[(FIRST + t) * HIDDEN + i];
        check_norm(&norm, x, row + t * HIDDEN, copy + t * HIDDEN);
      }
      free(word);
      free(position);
      free(weight);
      free(bias);
      free(table);
    }
}

static double gelu(double x) {
  return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static void gelu_is_the_erf_form(void **state) {
  (void)state;
  enum { COUNT = 16000 };
  uint64_t seed = 8;
  for (int t = 0; t < table_count; t++) {
    float *values = numbers_make(COUNT, 10, &seed);
    float *before = numbers_make(COUNT, 0, &seed);
    uint16_t *narrow = malloc(COUNT * sizeof *narrow);
    assert_non_null(narrow);
    for (int i = 0; i < COUNT; i++) narrow[i] = bfloat_from_float(values[i]);
    memcpy(before, values, COUNT * sizeof *before);
    tables[t]->gelu_f32(values, COUNT);
    tables[t]->gelu_bf16(narrow, COUNT);
    for (int i = 0; i < COUNT; i++) {
      const double x = bfloat_to_float(bfloat_from_float(before[i]));
      assert_near(values[i], gelu(before[i]), 2.5e-7 * fmax(1, fabs(before[i])), "gelu in fp32");
      assert_near(bfloat_to_float(narrow[i]), gelu(x), fabs(gelu(x)) / 256 + 3e-6, "gelu in bf16");
    }
    free(values);
    free(before);
    free(narrow);
  }
}

/* Computes one query in one head from the numbers in qkv [tokens, 3, heads, size]. */
static void attention_expected(const struct attention_shape *shape, const float *qkv, int32_t tokens,
                               int32_t query, int32_t head, double *context) {
  const int32_t size = shape->head_size, hidden = shape->heads * size;
  const float *q = qkv + (int64_t)query * 3 * hidden + head * size;
  double *weight = malloc((size_t)tokens * sizeof *weight), top = -INFINITY, sum = 0;
  assert_non_null(weight);
  for (int32_t s = 0; s < tokens; s++) {
    const float *k = qkv + (int64_t)s * 3 * hidden + hidden + head * size;
    weight[s] = 0;
    for (int32_t i = 0; i < size; i++) weight[s] += (double)shape->scale * q[i] * k[i];
    top = fmax(top, weight[s]);
  }
  for (int32_t s = 0; s < tokens; s++) sum += weight[s] = exp(weight[s] - top);
  for (int32_t i = 0; i < size; i++) context[i] = 0;
  for (int32_t s = 0; s < tokens; s++) {
    const float *v = qkv + (int64_t)s * 3 * hidden + 2 * hidden + head * size;
    for (int32_t i = 0; i < size; i++) context[i] += weight[s] / sum * v[i];
  }
  free(weight);
}

/* Runs attention for `queries` of the `tokens`, with logits around ± `reach`. Checks the first query, the
 * last and some between. */
static void check_attention(const struct kernels *kernels, int32_t heads, int32_t size, int32_t tokens,
                            int32_t queries, float reach, bool bf16) {
  const struct attention_shape shape = {heads, size, 1 / sqrtf((float)size)};
  const int32_t hidden = heads * size;
  const size_t count = (size_t)tokens * 3 * (size_t)hidden, out = (size_t)queries * (size_t)hidden;
  uint64_t seed = (uint64_t)(tokens * 131 + size);
  float *qkv = numbers_make(count, sqrtf(reach), &seed), *context = numbers_make(out + 64, 0, &seed);
  uint16_t *narrow = (uint16_t *)numbers_make(count, 0, &seed),
           *narrow_context = (uint16_t *)numbers_make(out + 64, 0, &seed);
  void *scratch = aligned_alloc(64, (attention_scratch(&shape, tokens) + 63) / 64 * 64);
  double wanted[64];
  assert_non_null(scratch);
  for (size_t i = 0; i < 64; i++) context[out + i] = narrow_context[out + i] = GUARD;
  if (bf16) {
    for (size_t i = 0; i < count; i++) qkv[i] = bfloat_to_float(narrow[i] = bfloat_from_float(qkv[i]));
    kernels->attention_bf16(&shape, narrow, tokens, queries, narrow_context, scratch);
  } else {
    kernels->attention_f32(&shape, qkv, tokens, queries, context, scratch);
  }
  for (int32_t q = 0; q < queries; q = q == queries - 1 ? queries : q + 97 < queries ? q + 97 : queries - 1)
    for (int32_t h = 0; h < heads; h++) {
      attention_expected(&shape, qkv, tokens, q, h, wanted);
      for (int32_t i = 0; i < size; i++) {
        const int64_t at = (int64_t)q * hidden + h * size + i;
        const double got = bf16 ? bfloat_to_float(narrow_context[at]) : context[at];
        assert_near(got, wanted[i], sqrtf(reach) * (bf16 ? 0.006 : 5e-6),
                    kernels == tables[0] ? "plain" : "attention");
      }
    }
  for (size_t i = 0; i < 64; i++) assert_true(context[out + i] == GUARD && narrow_context[out + i] == GUARD);
  free(qkv);
  free(context);
  free(narrow);
  free(narrow_context);
  free(scratch);
}

/* Lengths around every border: vectors, register tiles, query blocks and key tiles. */
static void attention_is_right_at_every_border(void **state) {
  (void)state;
  static const int32_t lengths[] = {1,  2,  3,  5,   8,   15,  16,  17,  31,  33,  48,
                                    63, 64, 65, 100, 127, 130, 511, 512, 513, 1030};
  static const int32_t sizes[] = {16, 32, 48, 64};
  for (int t = 0; t < table_count; t++)
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
      for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        if (lengths[l] > 200 && (tables[t]->isa == ISA_PLAIN || s % 2 == 0)) continue;
        check_attention(tables[t], 2, sizes[s], lengths[l], lengths[l], 2, false);
        check_attention(tables[t], 2, sizes[s], lengths[l], lengths[l], 2, true);
      }
}

static void attention_of_the_first_query_alone_is_right(void **state) {
  (void)state;
  for (int t = 0; t < table_count; t++)
    for (int32_t tokens = 1; tokens < 1400; tokens = tokens * 2 + 5)
      for (int bf16 = 0; bf16 < 2; bf16++) check_attention(tables[t], 3, 32, tokens, 1, 2, bf16);
}

/* Logits in the hundreds: without subtracting the maximum, the exponential would overflow. */
static void attention_survives_large_logits(void **state) {
  (void)state;
  for (int t = 0; t < table_count; t++)
    for (int32_t size = 32; size <= 64; size += 32) {
      check_attention(tables[t], 1, size, 70, 70, 400, false);
      check_attention(tables[t], 1, size, 600, 600, 400, true);
    }
}

/* Logits around 1e10 and 1e12, whose product with softmax's factor fp32 holds to hundreds: the highest one's
 * exponent must be 0 all the same. */
static void attention_survives_huge_logits(void **state) {
  (void)state;
  for (int t = 0; t < table_count; t++)
    for (int32_t size = 16; size <= 64; size += 16)
      for (float reach = 1e6f; reach < 1e13f; reach *= 100)
        for (int bf16 = 0; bf16 < 2; bf16++) {
          check_attention(tables[t], 2, size, 70, 70, reach, bf16);
          check_attention(tables[t], 2, size, 600, 600, reach, bf16);
        }
}

/* Attention over `tokens` tokens whose numbers are all 1, but for the given ones: the query's and the key's
 * from `from` on. No number of the context may be finite: the reference's are NaN. */
static void check_spoilt(const struct kernels *kernels, int32_t size, int32_t tokens, float query, float key,
                         int32_t from, bool bf16) {
  const struct attention_shape shape = {1, size, 1 / sqrtf((float)size)};
  const size_t count = (size_t)tokens * 3 * (size_t)size, out = (size_t)tokens * (size_t)size;
  float qkv[600 * 3 * 32], context[600 * 32];
  uint16_t narrow[600 * 3 * 32], narrow_context[600 * 32];
  void *scratch = aligned_alloc(64, (attention_scratch(&shape, tokens) + 63) / 64 * 64);
  assert_non_null(scratch);
  for (size_t i = 0; i < count; i++) {
    const int32_t token = (int32_t)i / (3 * size), part = (int32_t)i / size % 3;
    qkv[i] = part == 0 ? query : part == 1 && token >= from ? key : 1;
    narrow[i] = bfloat_from_float(qkv[i]);
  }
  if (bf16)
    kernels->attention_bf16(&shape, narrow, tokens, tokens, narrow_context, scratch);
  else
    kernels->attention_f32(&shape, qkv, tokens, tokens, context, scratch);
  for (size_t i = 0; i < out; i++) {
    const float got = bf16 ? bfloat_to_float(narrow_context[i]) : context[i];
    if (isfinite(got))
      fail_msg("%s, %s, heads of %d, %d tokens, q %g, k %g from %d on: number %zu is %g",
               isa_name(kernels->isa), bf16 ? "bf16" : "fp32", size, tokens, (double)query, (double)key, from,
               i, (double)got);
  }
  free(scratch);
}

/* Otherwise a text whose numbers overflowed would get a row that looks right. */
static void logits_that_are_not_finite_spoil_the_context(void **state) {
  (void)state;
  static const int32_t lengths[] = {1, 5, 16, 70, 600};
  for (int t = 0; t < table_count; t++)
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
      for (int32_t size = 16; size <= 32; size += 16)
        for (int bf16 = 0; bf16 < 2; bf16++)
          for (int32_t last = 0; last < 2; last++) {
            const int32_t tokens = lengths[l], from = last ? tokens - 1 : 0;
            check_spoilt(tables[t], size, tokens, 1e20f, 1e20f, from, bf16);
            check_spoilt(tables[t], size, tokens, 1, NAN, from, bf16);
            if (from == 0) check_spoilt(tables[t], size, tokens, 1e20f, -1e20f, 0, bf16);
          }
}

static void kernels_whose_vectors_do_not_divide_the_sizes_are_not_chosen(void **state) {
  (void)state;
#if defined(__aarch64__)
  assert_int_equal(kernels_for(ISA_NEON, 384, 32, 1536)->isa, ISA_NEON);
  assert_int_equal(kernels_for(ISA_NEON, 384, 30, 1536)->isa, ISA_PLAIN);
#elif defined(__x86_64__)
  assert_int_equal(kernels_for(ISA_AVX512_BF16, 384, 32, 1536)->isa, ISA_AVX512_BF16);
  assert_int_equal(kernels_for(ISA_AVX512, 384, 32, 1536)->isa, ISA_AVX512);
  assert_int_equal(kernels_for(ISA_AVX512_BF16, 72, 24, 96)->isa, ISA_AVX2);
  assert_int_equal(kernels_for(ISA_AVX512_BF16, 64, 32, 100)->isa, ISA_PLAIN);
#endif
  assert_int_equal(kernels_for(ISA_PLAIN, 384, 32, 1536)->isa, ISA_PLAIN);
}

int main(void) {
  tables_find();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layer_norm_is_right),
      cmocka_unit_test(norm_of_a_variance_that_overflows_is_not_finite),
      cmocka_unit_test(embedding_is_the_norm_of_word_and_position),
      cmocka_unit_test(gelu_is_the_erf_form),
      cmocka_unit_test(attention_is_right_at_every_border),
      cmocka_unit_test(attention_of_the_first_query_alone_is_right),
      cmocka_unit_test(attention_survives_large_logits),
      cmocka_unit_test(attention_survives_huge_logits),
      cmocka_unit_test(logits_that_are_not_finite_spoil_the_context),
      cmocka_unit_test(kernels_whose_vectors_do_not_divide_the_sizes_are_not_chosen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
