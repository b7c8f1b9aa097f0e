#include "io/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct text *text, size_t more) {
  if (text->failed) return false;
  if (more <= text->capacity - text->size) return true;
  size_t capacity = text->capacity ? text->capacity : 4096;
  while (capacity - text->size < more) capacity *= 2;
  char *bytes = realloc(text->bytes, capacity);
  if (!bytes) {
    text->failed = true;
    return false;
  }
  text->bytes = bytes;
  text->capacity = capacity;
  return true;
}

void text_append(struct text *text, const char *bytes, size_t size) {
  if (size == 0 || !text_reserve(text, size)) return;
  memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
}

void text_append_string(struct text *text, const char *string) {
  text_append(text, string, strlen(string));
}

void text_append_integer(struct text *text, int64_t number) {
  char digits[24];
  char *end = digits + sizeof digits, *first = end;
  uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
  do *--first = (char)('0' + rest % 10);
  while (rest /= 10);
  if (number < 0) *--first = '-';
  text_append(text, first, (size_t)(end - first));
}

/* True if a JSON string must escape the byte. */
static bool json_is_special(unsigned char byte) {
  return byte < 0x20 || byte == '"' || byte == '\\';
}

/* What stands behind the backslash in a special byte's short escape; 0: it has none. */
static char json_short_form(unsigned char byte) {
  static const char forms[] = "btn\0fr"; /* of 0x08 … 0x0d */
  if (byte >= 0x20) return (char)byte;
  return byte >= 0x08 && byte <= 0x0d ? forms[byte - 0x08] : '\0';
}

static void text_append_escape(struct text *text, unsigned char byte) {
  static const char digits[] = "0123456789abcdef";
  char escape[6] = {'\\', json_short_form(byte)};
  if (escape[1]) {
    text_append(text, escape, 2);
    return;
  }
  memcpy(escape + 1, "u00", 3);
  escape[4] = digits[byte >> 4];
  escape[5] = digits[byte & 15];
  text_append(text, escape, 6);
}

void text_append_json(struct text *text, const char *bytes, size_t size) {
  text_append(text, "\"", 1);
  size_t plain = 0; /* start of the bytes that can be copied unchanged */
  for (size_t i = 0; i < size; i++) {
    if (!json_is_special((unsigned char)bytes[i])) continue;
    text_append(text, bytes + plain, i - plain);
    text_append_escape(text, (unsigned char)bytes[i]);
    plain = i + 1;
  }
  text_append(text, bytes + plain, size - plain);
  text_append(text, "\"", 1);
}

size_t text_json_size(const char *bytes, size_t size) {
  size_t whole = size + 2;
  for (size_t i = 0; i < size; i++)
    if (json_is_special((unsigned char)bytes[i])) whole += json_short_form((unsigned char)bytes[i]) ? 1 : 5;
  return whole;
}

void text_clear(struct text *text, size_t keep) {
  if (text->capacity > keep) {
    text_free(text);
    return;
  }
  text->size = 0;
  text->failed = false;
}

void text_free(struct text *text) {
  free(text->bytes);
  *text = (struct text){0};
}

char *text_format_list(const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int size = vsnprintf(NULL, 0, format, again);
  va_end(again);
  char *string = size < 0 ? NULL : malloc((size_t)size + 1);
  if (string) vsnprintf(string, (size_t)size + 1, format, arguments);
  return string;
}

char *text_format(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *string = text_format_list(format, arguments);
  va_end(arguments);
  return string;
}

size_t text_mark(const char *bytes, size_t size) {
  return size >= TEXT_MARK_BYTES && memcmp(bytes, "\xef\xbb\xbf", TEXT_MARK_BYTES) == 0 ? TEXT_MARK_BYTES : 0;
}

int64_t text_characters(const char *bytes, int64_t size) {
  int64_t characters = 0;
  for (int64_t i = 0; i < size; i++) characters += (bytes[i] & 0xc0) != 0x80;
  return characters;
}

size_t text_cut(const char *bytes, size_t size, size_t most) {
  size_t cut = size < most ? size : most;
  while (cut > 0 && cut < size && (bytes[cut] & 0xc0) == 0x80) cut--; /* in the middle of a character */
  return cut;
}
