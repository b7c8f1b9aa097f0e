/* The vector words for AVX-512 (F, BW, DQ, VL). If the including file is compiled for AVX-512-BF16, its
 * conversion is used. */
#pragma once

#include <immintrin.h>
#include <stdint.h>

#define VEC_LANES 16

typedef __m512 vec;

static inline vec vec_set(float x) {
  return _mm512_set1_ps(x);
}
static inline vec vec_load(const float *p) {
  return _mm512_loadu_ps(p);
}
static inline void vec_store(float *p, vec x) {
  _mm512_storeu_ps(p, x);
}
static inline vec vec_load_f16(const void *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}
static inline vec vec_load_bf16(const void *p) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}
static inline vec vec_load_unaligned(const void *p) {
  return _mm512_loadu_ps(p);
}

/* Rounds to nearest, ties to even; a NaN stays a NaN. */
static inline void vec_store_bf16(uint16_t *p, vec x) {
#ifdef __AVX512BF16__
  _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(x));
#else
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512i high = _mm512_srli_epi32(_mm512_mask_mov_epi32(sum, nan, bits), 16);
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(high));
#endif
}

/* Swaps rows and columns of VEC_LANES by VEC_LANES numbers. */
__attribute__((always_inline)) static inline void vec_transpose(vec r[VEC_LANES]) {
  vec t[VEC_LANES];
  for (int i = 0; i < 16; i += 4) {
    const vec a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
    const vec c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
    t[i] = _mm512_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
  }
  /* Now 128-bit lane l of t[i + j] holds column 4 l + j of rows i … i + 3. */
  for (int j = 0; j < 4; j++) {
    const vec a = _mm512_shuffle_f32x4(t[j], t[4 + j], 0x88), b = _mm512_shuffle_f32x4(t[j], t[4 + j], 0xdd);
    const vec c = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0x88);
    const vec d = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0xdd);
    r[j] = _mm512_shuffle_f32x4(a, c, 0x88);
    r[4 + j] = _mm512_shuffle_f32x4(b, d, 0x88);
    r[8 + j] = _mm512_shuffle_f32x4(a, c, 0xdd);
    r[12 + j] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

static inline vec vec_add(vec a, vec b) {
  return _mm512_add_ps(a, b);
}
static inline vec vec_sub(vec a, vec b) {
  return _mm512_sub_ps(a, b);
}
static inline vec vec_mul(vec a, vec b) {
  return _mm512_mul_ps(a, b);
}
static inline vec vec_div(vec a, vec b) {
  return _mm512_div_ps(a, b);
}
static inline vec vec_fma(vec a, vec b, vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
/* If a or b is NaN, the result is b (also of vec_min). */
static inline vec vec_max(vec a, vec b) {
  return _mm512_max_ps(a, b);
}
static inline vec vec_min(vec a, vec b) {
  return _mm512_min_ps(a, b);
}
static inline float vec_sum(vec x) {
  return _mm512_reduce_add_ps(x);
}
static inline float vec_top(vec x) {
  return _mm512_reduce_max_ps(x);
}
static inline uint32_t vec_reaches(vec x, float least) {
  return _mm512_cmp_ps_mask(x, _mm512_set1_ps(least), _CMP_GE_OQ);
}
static inline vec vec_round(vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vec vec_scale(vec x, vec n) {
  return _mm512_scalef_ps(x, n);
}

/* a + b, which are whole numbers. */
static inline vec vec_load_int32_sum(const int32_t *a, const int32_t *b) {
  return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_loadu_si512(a), _mm512_loadu_si512(b)));
}

/* x + zero as a byte, rounded to nearest, ties to even; a NaN gives any byte. Other x must fit. */
static inline void vec_store_byte(uint8_t *p, vec x, int32_t zero) {
  const __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(zero));
  _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(whole));
}
static inline vec vec_abs(vec x) {
  return _mm512_abs_ps(x);
}

/* The Hadamard transform over the lanes: butterflies (a, b) → (a + b, a - b) at distances 1, 2, 4, … A
 * product with 1 or -1 is exact, so an FMA is such an addition. */
static inline vec vec_hadamard(vec x) {
  const vec one = _mm512_set1_ps(1), minus = _mm512_set1_ps(-1);
  x = vec_fma(x, _mm512_mask_mov_ps(one, 0xaaaa, minus), _mm512_permute_ps(x, 0xb1));
  x = vec_fma(x, _mm512_mask_mov_ps(one, 0xcccc, minus), _mm512_permute_ps(x, 0x4e));
  x = vec_fma(x, _mm512_mask_mov_ps(one, 0xf0f0, minus), _mm512_shuffle_f32x4(x, x, 0xb1));
  return vec_fma(x, _mm512_mask_mov_ps(one, 0xff00, minus), _mm512_shuffle_f32x4(x, x, 0x4e));
}
