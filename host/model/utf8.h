/* The size of a character from its first byte. Text is valid UTF-8 by contract; where it is not, callers keep
 * within their bounds by comparing the size with what is left. */
#pragma once

#include <stddef.h>

static inline size_t utf8_size(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
