/* fp16 (IEEE binary16) and bf16 as bits in uint16_t. Conversions round to nearest, ties to even; NaN stays
 * NaN. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* The conversions in plain integers, for compilers without _Float16. binary32's exponent is 112 higher than
 * binary16's, and its fraction is 13 bits longer. */

static inline float half_to_float_portable(uint16_t bits) {
  const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, rest = (uint32_t)(bits & 0x7fffu) << 13;
  if ((bits & 0x7c00u) == 0x7c00u) return float_from_bits(sign | 0x7f800000u | rest); /* infinity, NaN */
  const float magnitude = float_from_bits(rest) * 0x1p112f; /* exact, for subnormal halves too */
  return float_from_bits(sign | float_bits(magnitude));
}

static inline uint16_t half_from_float_portable(float value) {
  const uint32_t bits = float_bits(value), magnitude = bits & 0x7fffffffu;
  const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;           /* NaN */
  if (magnitude >= float_bits(65520.0f)) return sign | 0x7c00u; /* rounds to infinity */
  if (magnitude < float_bits(0x1p-14f)) {                       /* a subnormal half, or zero */
    const float sum = float_from_bits(magnitude) + 0.5f; /* its last bit is 2^-24, as in a subnormal half */
    return sign | (uint16_t)(float_bits(sum) - float_bits(0.5f));
  }
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return sign | (uint16_t)((rounded >> 13) - (112u << 10));
}

/* _Float16 is not in ISO C11. GCC has it from 12 on, Clang from 15 on; Clang 14 only on ARM. */
#ifdef __FLT16_MANT_DIG__

__extension__ typedef _Float16 half_number;

static inline float half_to_float(uint16_t bits) {
  half_number value;
  memcpy(&value, &bits, sizeof value);
  return (float)value;
}

static inline uint16_t half_from_float(float value) {
  const half_number half = (half_number)value;
  uint16_t bits;
  memcpy(&bits, &half, sizeof bits);
  return bits;
}

#else

static inline float half_to_float(uint16_t bits) {
  return half_to_float_portable(bits);
}

static inline uint16_t half_from_float(float value) {
  return half_from_float_portable(value);
}

#endif

static inline float bfloat_to_float(uint16_t bits) {
  return float_from_bits((uint32_t)bits << 16);
}

static inline uint16_t bfloat_from_float(float value) {
  const uint32_t bits = float_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u);
  return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
