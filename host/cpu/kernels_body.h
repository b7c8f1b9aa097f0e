/* Embedding, layer norm and GELU in vector operations; included once per instruction set, after its
 * vec_<isa>.h. */
#pragma once

#include <math.h>

#include "host/cpu/kernels.h"

/* Loads numbers from the word table, in its stored type, as fp32. */
static inline vec table_load(const struct embedding_tables *embedding, int64_t element) {
  const char *word = embedding->word;
  switch (embedding->dtype) {
    case DTYPE_F16:
      return vec_load_f16(word + element * 2);
    case DTYPE_BF16:
      return vec_load_bf16(word + element * 2);
    default:
      return vec_load_unaligned(word + element * 4);
  }
}

/* Σ (row[i] - centre)^power, with `power` 1 or 2, in four chains, so that no addition waits for the one
 * before. */
__attribute__((always_inline)) static inline float row_moment(const float *row, int32_t hidden, vec centre,
                                                              const int power) {
  vec sum[4] = {vec_set(0), vec_set(0), vec_set(0), vec_set(0)};
  int32_t i = 0;
  for (; i + 4 * VEC_LANES <= hidden; i += 4 * VEC_LANES)
    for (int c = 0; c < 4; c++) {
      const vec x = vec_sub(vec_load(row + i + c * VEC_LANES), centre);
      sum[c] = power == 1 ? vec_add(sum[c], x) : vec_fma(x, x, sum[c]);
    }
  for (; i < hidden; i += VEC_LANES) {
    const vec x = vec_sub(vec_load(row + i), centre);
    sum[0] = power == 1 ? vec_add(sum[0], x) : vec_fma(x, x, sum[0]);
  }
  return vec_sum(vec_add(vec_add(sum[0], sum[1]), vec_add(sum[2], sum[3])));
}

/* row = norm(row). A second pass sums the variance around the mean: if the mean is large, the plain sum of
 * squares would lose the digits that matter. */
static inline void row_norm(const struct norm_weights *norm, float *row, uint16_t *copy) {
  const vec mean = vec_set(row_moment(row, norm->hidden, vec_set(0), 1) / (float)norm->hidden);
  const float variance = row_moment(row, norm->hidden, mean, 2) / (float)norm->hidden;
  /* If the variance overflowed, 0 · variance is NaN: without it, every number would become the bias. */
  const vec factor = vec_set(1.0f / sqrtf(variance + norm->epsilon) + 0 * variance);
  for (int32_t i = 0; i < norm->hidden; i += VEC_LANES) {
    const vec x = vec_mul(vec_sub(vec_load(row + i), mean), factor);
    const vec y = vec_fma(x, vec_load(norm->weight + i), vec_load(norm->bias + i));
    vec_store(row + i, y);
    if (copy) vec_store_bf16(copy + i, y);
  }
}

static void embed(const struct embedding_tables *embedding, const struct norm_weights *norm,
                  const int32_t *ids, int32_t first_position, int32_t tokens, float *state, uint16_t *copy) {
  const int64_t hidden = norm->hidden;
  int64_t next = first_position;
  for (int64_t t = 0; t < tokens; t++) {
    const int64_t word = ids[t] * hidden;
    const int64_t place = ids[t] == first_position - 1 ? ids[t] : next++;
    const float *position = embedding->position + place * hidden;
    float *row = state + t * hidden;
    for (int32_t i = 0; i < hidden; i += VEC_LANES)
      vec_store(row + i, vec_add(table_load(embedding, word + i), vec_load(position + i)));
    row_norm(norm, row, copy ? copy + t * hidden : NULL);
  }
}

static void add_norm(const struct norm_weights *norm, const float *addend, int32_t rows, float *state,
                     uint16_t *copy) {
  const int64_t hidden = norm->hidden;
  for (int64_t r = 0; r < rows; r++) {
    float *row = state + r * hidden;
    for (int32_t i = 0; i < hidden; i += VEC_LANES)
      vec_store(row + i, vec_add(vec_load(row + i), vec_load(addend + r * hidden + i)));
    row_norm(norm, row, copy ? copy + r * hidden : NULL);
  }
}

/* x · Φ(x), with Φ(x) = 1/2 + x · P(x²) / Q(x²) for |x| ≤ 5.5; beyond 5.5, 1 - Φ is below 2e-8. P and Q are a
 * weighted least-squares fit, driven to the smallest worst relative error in Φ - 1/2 (Lawson's iteration):
 * 1.7e-8 in exact arithmetic. */
static inline vec gelu(vec x) {
  static const float p[] = {0.39894226f,    0.033458829f,   0.004651478f,
                            0.00016457308f, 6.3015827e-06f, 2.2931180e-08f};
  static const float q[] = {1.0f, 0.25053525f, 0.028416093f, 0.0018606422f, 7.2166804e-05f, 1.1990285e-06f};
  const vec t = vec_min(vec_max(x, vec_set(-5.5f)), vec_set(5.5f));
  const vec u = vec_mul(t, t);
  vec above = vec_set(p[5]), below = vec_set(q[5]);
  for (int i = 4; i >= 0; i--) {
    above = vec_fma(above, u, vec_set(p[i]));
    below = vec_fma(below, u, vec_set(q[i]));
  }
  return vec_mul(x, vec_fma(t, vec_div(above, below), vec_set(0.5f)));
}

static void gelu_f32(float *values, size_t count) {
  for (size_t i = 0; i < count; i += VEC_LANES) vec_store(values + i, gelu(vec_load(values + i)));
}

static void gelu_bf16(uint16_t *values, size_t count) {
  for (size_t i = 0; i < count; i += VEC_LANES) vec_store_bf16(values + i, gelu(vec_load_bf16(values + i)));
}
