/* The vector words for ARM's NEON, which every 64-bit ARM processor has. */
#pragma once

#include <arm_neon.h>
#include <stdint.h>

#define VEC_LANES 4

typedef float32x4_t vec;

static inline vec vec_set(float x) {
  return vdupq_n_f32(x);
}
static inline vec vec_load(const float *p) {
  return vld1q_f32(p);
}
static inline void vec_store(float *p, vec x) {
  vst1q_f32(p, x);
}

/* Rows of a model's file are aligned to nothing, so they are read as bytes. */
static inline vec vec_load_f16(const void *p) {
  return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}
static inline vec vec_load_bf16(const void *p) {
  return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}
static inline vec vec_load_unaligned(const void *p) {
  return vreinterpretq_f32_u8(vld1q_u8(p));
}

/* Rounds to nearest, ties to even; a NaN stays one. */
static inline void vec_store_bf16(uint16_t *p, vec x) {
  const uint32x4_t bits = vreinterpretq_u32_f32(x);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t sum = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint32x4_t nan = vorrq_u32(bits, vdupq_n_u32(0x400000)); /* quiet, so that a cut fraction is not 0 */
  vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), sum, nan), 16));
}

/* Swaps rows and columns of VEC_LANES by VEC_LANES numbers. */
static inline void vec_transpose(vec r[VEC_LANES]) {
  const vec a = vzip1q_f32(r[0], r[2]), b = vzip2q_f32(r[0], r[2]);
  const vec c = vzip1q_f32(r[1], r[3]), d = vzip2q_f32(r[1], r[3]);
  r[0] = vzip1q_f32(a, c);
  r[1] = vzip2q_f32(a, c);
  r[2] = vzip1q_f32(b, d);
  r[3] = vzip2q_f32(b, d);
}

static inline vec vec_add(vec a, vec b) {
  return vaddq_f32(a, b);
}
static inline vec vec_sub(vec a, vec b) {
  return vsubq_f32(a, b);
}
static inline vec vec_mul(vec a, vec b) {
  return vmulq_f32(a, b);
}
static inline vec vec_div(vec a, vec b) {
  return vdivq_f32(a, b);
}
static inline vec vec_fma(vec a, vec b, vec c) {
  return vfmaq_f32(c, a, b);
}
/* If a or b is NaN, so is the result (also of vec_min). */
static inline vec vec_max(vec a, vec b) {
  return vmaxq_f32(a, b);
}
static inline vec vec_min(vec a, vec b) {
  return vminq_f32(a, b);
}
static inline float vec_sum(vec x) {
  return vaddvq_f32(x);
}
static inline float vec_top(vec x) {
  return vmaxvq_f32(x);
}
static inline uint32_t vec_reaches(vec x, float least) {
  static const uint32_t lane_bits[] = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vcgeq_f32(x, vdupq_n_f32(least)), vld1q_u32(lane_bits)));
}
static inline vec vec_round(vec x) {
  return vrndnq_f32(x);
}

/* x · 2^n for whole n of -126 … 127. */
static inline vec vec_scale(vec x, vec n) {
  const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
  return vmulq_f32(x, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
}

/* a + b, which are whole numbers. */
static inline vec vec_load_int32_sum(const int32_t *a, const int32_t *b) {
  return vcvtq_f32_s32(vaddq_s32(vld1q_s32(a), vld1q_s32(b)));
}

/* x + zero as a byte, rounded to nearest, ties to even; a NaN gives any byte. Other x must fit. */
static inline void vec_store_byte(uint8_t *p, vec x, int32_t zero) {
  int32_t whole[VEC_LANES];
  vst1q_s32(whole, vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(zero)));
  for (int i = 0; i < VEC_LANES; i++) p[i] = (uint8_t)whole[i];
}
static inline vec vec_abs(vec x) {
  return vabsq_f32(x);
}

/* The Hadamard transform over the lanes: butterflies (a, b) → (a + b, a - b) at distances 1, 2, 4, … A
 * product with 1 or -1 is exact, so an FMA is such an addition. */
static inline vec vec_hadamard(vec x) {
  static const float near[] = {1, -1, 1, -1}, far[] = {1, 1, -1, -1};
  x = vec_fma(x, vld1q_f32(near), vrev64q_f32(x));
  return vec_fma(x, vld1q_f32(far), vextq_f32(x, x, 2));
}
