/* The vector words in plain C: vectors with one number. Tests compare the other instruction sets with
 * them. */
#pragma once

#include <math.h>

#include "host/model/half.h"

#define VEC_LANES 1

typedef float vec;

static inline vec vec_set(float x) {
  return x;
}
static inline vec vec_load(const float *p) {
  return *p;
}
static inline void vec_store(float *p, vec x) {
  *p = x;
}
static inline vec vec_load_f16(const void *p) {
  uint16_t bits;
  memcpy(&bits, p, sizeof bits);
  return half_to_float(bits);
}
static inline vec vec_load_bf16(const void *p) {
  uint16_t bits;
  memcpy(&bits, p, sizeof bits);
  return bfloat_to_float(bits);
}
static inline vec vec_load_unaligned(const void *p) {
  vec x;
  memcpy(&x, p, sizeof x);
  return x;
}
static inline void vec_store_bf16(uint16_t *p, vec x) {
  *p = bfloat_from_float(x);
}

/* Swaps rows and columns of VEC_LANES by VEC_LANES numbers. */
static inline void vec_transpose(vec r[VEC_LANES]) {
  (void)r;
}

static inline vec vec_add(vec a, vec b) {
  return a + b;
}
static inline vec vec_sub(vec a, vec b) {
  return a - b;
}
static inline vec vec_mul(vec a, vec b) {
  return a * b;
}
static inline vec vec_div(vec a, vec b) {
  return a / b;
}
static inline vec vec_fma(vec a, vec b, vec c) {
  return a * b + c;
}
/* If a or b is NaN, the result is b (also of vec_min). */
static inline vec vec_max(vec a, vec b) {
  return a > b ? a : b;
}
static inline vec vec_min(vec a, vec b) {
  return a < b ? a : b;
}
static inline float vec_sum(vec x) {
  return x;
}
static inline float vec_top(vec x) {
  return x;
}
static inline uint32_t vec_reaches(vec x, float least) {
  return x >= least;
}
static inline vec vec_round(vec x) {
  return rintf(x);
}

/* x · 2^n for whole n from -126 to 127; if both are NaN, so is the result. */
static inline vec vec_scale(vec x, vec n) {
  const uint32_t bits = (uint32_t)((n == n ? (int32_t)n : 0) + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return x * power;
}

/* a + b, which are whole numbers. */
static inline vec vec_load_int32_sum(const int32_t *a, const int32_t *b) {
  return (vec)(*a + *b);
}

/* x + zero as a byte, rounded to nearest, ties to even; a NaN gives any byte. Other x must fit. */
static inline void vec_store_byte(uint8_t *p, vec x, int32_t zero) {
  *p = (uint8_t)((x == x ? (int32_t)rintf(x) : 0) + zero);
}
static inline vec vec_abs(vec x) {
  return fabsf(x);
}

/* The Hadamard transform over the lanes: butterflies (a, b) → (a + b, a - b) at distances 1, 2, 4, … */
static inline vec vec_hadamard(vec x) {
  return x;
}
