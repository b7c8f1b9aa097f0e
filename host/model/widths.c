#include "host/model/widths.h"

#include <math.h>

#include "host/model/half.h"
#include "host/model/processor.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* The sum of squares is kept in eight lanes (number i in lane i % 8), and the lanes are added in one fixed
 * order. So vector code can take eight numbers at once, and plain code still gives the same bits. */
#define LANES 8

static float inverse_norm(const double lane[LANES]) {
  const double sum =
      ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
  return sum == 0 ? 0 : (float)(1 / sqrt(sum));
}

void width_normalise_plain(const float *pooled, int32_t width, uint16_t *row) {
  double lane[LANES] = {0};
  for (int32_t i = 0; i < width; i++) lane[i % LANES] += (double)pooled[i] * pooled[i];
  const float scale = inverse_norm(lane);
  for (int32_t i = 0; i < width; i++) row[i] = half_from_float(pooled[i] * scale);
}

void width_derive_plain(const uint16_t *h, int32_t width, uint16_t *narrow) {
  double lane[LANES] = {0};
  for (int32_t i = 0; i < width; i++) {
    const double value = half_to_float(h[i]);
    lane[i % LANES] += value * value;
  }
  const float scale = inverse_norm(lane);
  for (int32_t i = 0; i < width; i++) narrow[i] = half_from_float(half_to_float(h[i]) * scale);
}

void width_widen_plain(const uint16_t *row, int64_t count, float *wide) {
  for (int64_t i = 0; i < count; i++) wide[i] = half_to_float(row[i]);
}

#if defined(__x86_64__)

#define F16C __attribute__((target("avx,f16c")))

/* low holds lanes 0 … 3, high lanes 4 … 7. */
F16C static inline void squares_add(__m256 values, __m256d *low, __m256d *high) {
  const __m256d first = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
  const __m256d second = _mm256_cvtps_pd(_mm256_extractf128_ps(values, 1));
  *low = _mm256_add_pd(*low, _mm256_mul_pd(first, first));
  *high = _mm256_add_pd(*high, _mm256_mul_pd(second, second));
}

F16C static inline __m128i halves_round(__m256 values) {
  return _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT);
}

F16C static void normalise_f16c(const float *pooled, int32_t width, uint16_t *row) {
  const int32_t whole = width - width % LANES;
  double lane[LANES];
  __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
  for (int32_t i = 0; i < whole; i += LANES) squares_add(_mm256_loadu_ps(pooled + i), &low, &high);
  _mm256_storeu_pd(lane, low);
  _mm256_storeu_pd(lane + 4, high);
  for (int32_t i = whole; i < width; i++) lane[i % LANES] += (double)pooled[i] * pooled[i];
  const float scale = inverse_norm(lane);
  const __m256 scales = _mm256_set1_ps(scale);
  for (int32_t i = 0; i < whole; i += LANES)
    _mm_storeu_si128((__m128i *)(row + i), halves_round(_mm256_mul_ps(_mm256_loadu_ps(pooled + i), scales)));
  for (int32_t i = whole; i < width; i++) row[i] = _cvtss_sh(pooled[i] * scale, _MM_FROUND_TO_NEAREST_INT);
}

F16C static inline __m256 halves_load(const uint16_t *halves) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
}

F16C static void derive_f16c(const uint16_t *h, int32_t width, uint16_t *narrow) {
  const int32_t whole = width - width % LANES;
  double lane[LANES];
  __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
  for (int32_t i = 0; i < whole; i += LANES) squares_add(halves_load(h + i), &low, &high);
  _mm256_storeu_pd(lane, low);
  _mm256_storeu_pd(lane + 4, high);
  for (int32_t i = whole; i < width; i++) {
    const double value = _cvtsh_ss(h[i]);
    lane[i % LANES] += value * value;
  }
  const float scale = inverse_norm(lane);
  const __m256 scales = _mm256_set1_ps(scale);
  for (int32_t i = 0; i < whole; i += LANES)
    _mm_storeu_si128((__m128i *)(narrow + i), halves_round(_mm256_mul_ps(halves_load(h + i), scales)));
  for (int32_t i = whole; i < width; i++)
    narrow[i] = _cvtss_sh(_cvtsh_ss(h[i]) * scale, _MM_FROUND_TO_NEAREST_INT);
}

F16C static void widen_f16c(const uint16_t *row, int64_t count, float *wide) {
  const int64_t whole = count - count % LANES;
  for (int64_t i = 0; i < whole; i += LANES) _mm256_storeu_ps(wide + i, halves_load(row + i));
  for (int64_t i = whole; i < count; i++) wide[i] = _cvtsh_ss(row[i]);
}

void width_normalise(const float *pooled, int32_t width, uint16_t *row) {
  if (processor_has_f16c())
    normalise_f16c(pooled, width, row);
  else
    width_normalise_plain(pooled, width, row);
}

void width_derive(const uint16_t *h, int32_t width, uint16_t *narrow) {
  if (processor_has_f16c())
    derive_f16c(h, width, narrow);
  else
    width_derive_plain(h, width, narrow);
}

void width_widen(const uint16_t *row, int64_t count, float *wide) {
  if (processor_has_f16c())
    widen_f16c(row, count, wide);
  else
    width_widen_plain(row, count, wide);
}

#else

void width_normalise(const float *pooled, int32_t width, uint16_t *row) {
  width_normalise_plain(pooled, width, row);
}

void width_derive(const uint16_t *h, int32_t width, uint16_t *narrow) {
  width_derive_plain(h, width, narrow);
}

void width_widen(const uint16_t *row, int64_t count, float *wide) {
  width_widen_plain(row, count, wide);
}

#endif
