#include "io/decimal.h"

#include <stdbool.h>

#define EXPONENT_MAX 1000000000000000 /* more than any line has digits */

/* ±0.d₁d₂… · 10^magnitude; d₁ is not 0. */
struct decimal {
  bool negative, zero;
  int64_t magnitude;
  const char *digit, *end; /* d₁ …, perhaps with the point among them */
};

static int64_t exponent_read(const char *at, const char *end) {
  const bool negative = at < end && *at == '-';
  int64_t value = 0;
  if (at < end && (*at == '-' || *at == '+')) at++;
  for (; at < end && value < EXPONENT_MAX; at++) value = 10 * value + (*at - '0');
  return negative ? -value : value;
}

static struct decimal decimal_read(const char *text, int64_t length) {
  struct decimal decimal = {.negative = *text == '-'};
  const char *const start = text + decimal.negative, *const end = text + length;
  const char *mantissa_end = start, *point, *first = start;
  while (mantissa_end < end && *mantissa_end != 'e' && *mantissa_end != 'E') mantissa_end++;
  for (point = start; point < mantissa_end && *point != '.';) point++;
  while (first < mantissa_end && (*first == '0' || *first == '.')) first++;
  decimal.zero = first == mantissa_end;
  decimal.magnitude = first < point ? point - first : point + 1 - first;
  if (mantissa_end < end) decimal.magnitude += exponent_read(mantissa_end + 1, end);
  decimal.digit = first;
  decimal.end = mantissa_end;
  return decimal;
}

/* The next digit; after the last one, '0'. */
static char digit_next(struct decimal *decimal) {
  if (decimal->digit < decimal->end && *decimal->digit == '.') decimal->digit++;
  return decimal->digit < decimal->end ? *decimal->digit++ : '0';
}

static int size_compare(struct decimal *a, struct decimal *b) {
  if (a->magnitude != b->magnitude) return a->magnitude < b->magnitude ? -1 : 1;
  while (a->digit < a->end || b->digit < b->end) {
    const char one = digit_next(a), other = digit_next(b);
    if (one != other) return one < other ? -1 : 1;
  }
  return 0;
}

static int sign(const struct decimal *decimal) {
  return decimal->zero ? 0 : decimal->negative ? -1 : 1;
}

int decimal_compare(const char *a, int64_t a_length, const char *b, int64_t b_length) {
  struct decimal one = decimal_read(a, a_length), other = decimal_read(b, b_length);
  if (sign(&one) != sign(&other)) return sign(&one) < sign(&other) ? -1 : 1;
  return sign(&one) * (one.zero ? 0 : size_compare(&one, &other));
}
