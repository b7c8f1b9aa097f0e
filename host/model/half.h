/* fp16 (IEEE binary16) and bf16 as bits in uint16_t; conversions round to nearest, ties to even; NaN stays
 * NaN. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not in ISO C11, but in GCC 12 and later and in Clang on every processor that this project knows. */
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

static inline float bfloat_to_float(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

static inline uint16_t bfloat_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u);
  return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
