#include "host/cpu/pool.h"

#include <math.h>
#include <string.h>

/* pooled [hidden] = factor · Σ rows; zero if there are no rows. */
static void sum_pool(const float *rows, int32_t hidden, int32_t count, float factor, float *pooled) {
  memset(pooled, 0, (size_t)hidden * sizeof *pooled);
  for (int64_t t = 0; t < count; t++)
    for (int32_t i = 0; i < hidden; i++) pooled[i] += rows[t * hidden + i];
  for (int32_t i = 0; i < hidden; i++) pooled[i] *= factor;
}

/* pooled [hidden] = Σ w · rows / Σ w, with the weights first, first + 1, … */
static void weighted_pool(const float *rows, int32_t hidden, int32_t count, int32_t first, float *pooled) {
  int64_t weights = 0;
  memset(pooled, 0, (size_t)hidden * sizeof *pooled);
  for (int64_t t = 0; t < count; t++) {
    const float weight = (float)(first + t);
    for (int32_t i = 0; i < hidden; i++) pooled[i] += weight * rows[t * hidden + i];
    weights += first + t;
  }
  const float share = (float)(1 / (double)weights);
  for (int32_t i = 0; i < hidden; i++) pooled[i] *= share;
}

/* A comparison with a NaN is false, so the second condition keeps a NaN. */
static void max_pool(const float *rows, int32_t hidden, int32_t count, float *pooled) {
  memcpy(pooled, rows, (size_t)hidden * sizeof *pooled);
  for (int64_t t = 1; t < count; t++)
    for (int32_t i = 0; i < hidden; i++) {
      const float x = rows[t * hidden + i];
      pooled[i] = x > pooled[i] || isnan(x) ? x : pooled[i];
    }
}

static void mode_pool(enum pooling_mode mode, const float *state, int32_t hidden, int32_t tokens,
                      int32_t prompt_tokens, float *pooled) {
  const int32_t left = tokens - prompt_tokens;
  const float *rows = state + (int64_t)prompt_tokens * hidden, *last = state + (int64_t)(tokens - 1) * hidden;
  if (left <= 0 && mode != POOLING_CLS) {
    memset(pooled, 0, (size_t)hidden * sizeof *pooled);
    return;
  }
  switch (mode) {
    case POOLING_CLS:
      memcpy(pooled, state, (size_t)hidden * sizeof *pooled);
      break;
    case POOLING_MAX:
      max_pool(rows, hidden, left, pooled);
      break;
    case POOLING_MEAN:
      sum_pool(rows, hidden, left, 1 / (float)left, pooled);
      break;
    case POOLING_MEAN_SQRT_LEN:
      sum_pool(rows, hidden, left, 1 / sqrtf((float)left), pooled);
      break;
    case POOLING_WEIGHTED_MEAN:
      weighted_pool(rows, hidden, left, prompt_tokens + 1, pooled);
      break;
    case POOLING_LAST_TOKEN:
      memcpy(pooled, last, (size_t)hidden * sizeof *pooled);
      break;
  }
}

void pool_sequence(const struct pooling *pooling, const float *state, int32_t hidden, int32_t tokens,
                   int32_t prompt_tokens, float *pooled) {
  for (int32_t i = 0; i < pooling->count; i++)
    mode_pool(pooling->mode[i], state, hidden, tokens, prompt_tokens, pooled + (int64_t)i * hidden);
}
