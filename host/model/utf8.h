/* Characters in UTF-8. Callers pass valid text. Other bytes are safe: they are read within their bounds and
 * give some characters. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UTF8_BYTES_MAX 4
#define UTF8_REPLACEMENT 0xfffd

/* The size of a character, from its first byte. In invalid text, fewer bytes may be left. */
static inline size_t utf8_size(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The character at `at`, before `end`; *size is its length in bytes. If the end cuts the character, or if it
 * lies past the last code point, the result is U+FFFD. */
static inline uint32_t utf8_read(const char *at, const char *end, size_t *size) {
  const unsigned char *bytes = (const unsigned char *)at;
  *size = utf8_size(bytes[0]);
  if (*size == 1) return bytes[0];
  if ((size_t)(end - at) < *size) {
    *size = (size_t)(end - at);
    return UTF8_REPLACEMENT;
  }
  uint32_t code_point = bytes[0] & (0xffu >> (*size + 1));
  for (size_t i = 1; i < *size; i++) code_point = code_point << 6 | (bytes[i] & 0x3fu);
  return code_point < 0x110000 ? code_point : UTF8_REPLACEMENT;
}

/* The place where the character at `at` begins, or `low` if that is later. Reads no byte at `low` or before.
 */
static inline size_t utf8_start(const char *text, size_t low, size_t at) {
  while (at > low && ((unsigned char)text[at] & 0xc0) == 0x80) at--;
  return at;
}

/* The character that ends at `at`; there must be one. *size is its length in bytes. */
static inline uint32_t utf8_read_before(const char *text, size_t at, size_t *size) {
  const size_t start = utf8_start(text, at > UTF8_BYTES_MAX ? at - UTF8_BYTES_MAX : 0, at - 1);
  *size = at - start;
  size_t read;
  return utf8_read(text + start, text + at, &read);
}

/* Returns the number of bytes. */
static inline size_t utf8_write(uint32_t code_point, char bytes[UTF8_BYTES_MAX]) {
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  const size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  for (size_t i = length; i-- > 1; code_point >>= 6) bytes[i] = (char)(0x80 | (code_point & 0x3f));
  bytes[0] = (char)(lead[length] | code_point);
  return length;
}
