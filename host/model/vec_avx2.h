/* The vector words for AVX2 with FMA and F16C; the including file is compiled for them. */
#pragma once

#include <immintrin.h>
#include <stdint.h>

#define VEC_LANES 8

typedef __m256 vec;

static inline vec vec_set(float x) {
  return _mm256_set1_ps(x);
}
static inline vec vec_load(const float *p) {
  return _mm256_loadu_ps(p);
}
static inline void vec_store(float *p, vec x) {
  _mm256_storeu_ps(p, x);
}
static inline vec vec_load_f16(const void *p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(p));
}
static inline vec vec_load_bf16(const void *p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16));
}
static inline vec vec_load_unaligned(const void *p) {
  return _mm256_castsi256_ps(_mm256_loadu_si256(p));
}

/* Rounds to nearest, ties to even; a NaN stays a NaN. No kernel stores a NaN unless its input had one. */
static inline void vec_store_bf16(uint16_t *p, vec x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i sum = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(sum, bits, nan), 16);
  const __m256i packed = _mm256_packus_epi32(high, high);
  _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08)));
}

/* Swaps rows and columns of VEC_LANES by VEC_LANES numbers. */
__attribute__((always_inline)) static inline void vec_transpose(vec r[VEC_LANES]) {
  vec t[VEC_LANES];
  for (int i = 0; i < 8; i += 4) {
    const vec a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
    const vec c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm256_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  for (int j = 0; j < 4; j++) {
    r[j] = _mm256_permute2f128_ps(t[j], t[4 + j], 0x20);
    r[4 + j] = _mm256_permute2f128_ps(t[j], t[4 + j], 0x31);
  }
}

static inline vec vec_add(vec a, vec b) {
  return _mm256_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
  return _mm256_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
  return _mm256_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
  return _mm256_div_ps(a, b);
}
static inline vec vec_fma(vec a, vec b, vec c) {
  return _mm256_fmadd_ps(a, b, c);
}
/* If a or b is NaN, the result is b (also of vec_min). */
static inline vec vec_max(vec a, vec b) {
  return _mm256_max_ps(a, b);
}
static inline vec vec_min(vec a, vec b) {
  return _mm256_min_ps(a, b);
}

static inline float vec_sum(vec x) {
  __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}

static inline float vec_top(vec x) {
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}

/* Bit i is set if lane i is at least `least`. */
static inline uint32_t vec_reaches(vec x, float least) {
  return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_set1_ps(least), _CMP_GE_OQ));
}

static inline vec vec_round(vec x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* x · 2^n for whole n from -126 to 127. */
static inline vec vec_scale(vec x, vec n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

/* a + b, which are whole numbers. */
static inline vec vec_load_int32_sum(const int32_t *a, const int32_t *b) {
  const __m256i one = _mm256_loadu_si256((const __m256i *)a), other = _mm256_loadu_si256((const __m256i *)b);
  return _mm256_cvtepi32_ps(_mm256_add_epi32(one, other));
}

/* x + zero as a byte, rounded to nearest, ties to even; a NaN gives any byte. Other x must fit. */
static inline void vec_store_byte(uint8_t *p, vec x, int32_t zero) {
  const __m256i whole = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(zero));
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(words, words));
}
static inline vec vec_abs(vec x) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

/* The Hadamard transform over the lanes: butterflies (a, b) → (a + b, a - b) at distances 1, 2, 4, … A
 * product with 1 or -1 is exact, so an FMA is such an addition. */
static inline vec vec_hadamard(vec x) {
  x = vec_fma(x, _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1), _mm256_permute_ps(x, 0xb1));
  x = vec_fma(x, _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1), _mm256_permute_ps(x, 0x4e));
  return vec_fma(x, _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1), _mm256_permute2f128_ps(x, x, 1));
}
