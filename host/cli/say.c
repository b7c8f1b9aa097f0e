#include "host/cli/say.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct range {
  uint32_t first, last;
};

static bool is_printable(uint32_t point) {
  static const struct range steering[] = {
      {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   /* C0, DEL and C1; the Arabic letter mark */
      {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, /* directions, and line ends */
  };
  for (size_t i = 0; i < sizeof steering / sizeof *steering; i++)
    if (point >= steering[i].first && point <= steering[i].last) return false;
  return true;
}

/* Decodes the first character. Returns its length in bytes, or 0 if the bytes are not UTF-8 (RFC 3629). */
static size_t decode(const unsigned char *bytes, size_t size, uint32_t *point) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char lead = bytes[0];
  const size_t length = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
  if (length == 0 || length > size) return 0;
  *point = length == 1 ? lead : lead & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
    *point = *point << 6 | (bytes[i] & 0x3fu);
  }
  const bool surrogate = *point >= 0xd800 && *point <= 0xdfff;
  return *point < least[length] || *point > 0x10ffff || surrogate ? 0 : length;
}

size_t say_character(const char *bytes, size_t size, bool *printable) {
  uint32_t point;
  const size_t length = decode((const unsigned char *)bytes, size, &point);
  *printable = length > 0 && is_printable(point);
  return length > 0 ? length : 1;
}

/* Writes a character that must not be printed unchanged in its escaped form. */
static void spell(struct text *line, const char *bytes, size_t size) {
  char spelled[16];
  uint32_t point;
  const size_t length = decode((const unsigned char *)bytes, size, &point);
  if (*bytes == '\n' || *bytes == '\t')
    snprintf(spelled, sizeof spelled, "\\%c", *bytes == '\n' ? 'n' : 't');
  else if (length > 1)
    snprintf(spelled, sizeof spelled, "\\u%04x", point);
  else
    snprintf(spelled, sizeof spelled, "\\x%02x", (unsigned char)*bytes);
  text_append_string(line, spelled);
}

static atomic_bool output_lost;

bool say_failed(void) {
  return atomic_load(&output_lost);
}

/* An error must be reported even if there is no memory for its line. */
static void line_lose(FILE *stream) {
  if (stream == stdout)
    atomic_store(&output_lost, true);
  else
    fputs("nina: out of memory\n", stream);
}

void say_spell(struct text *text, const char *sentence) {
  const size_t size = strlen(sentence);
  for (size_t at = 0; at < size;) {
    bool printable;
    const size_t length = say_character(sentence + at, size - at, &printable);
    if (printable)
      text_append(text, sentence + at, length);
    else
      spell(text, sentence + at, size - at);
    at += length;
  }
}

static void line_print(FILE *stream, const char *name, const char *format, va_list arguments) {
  struct text line = {0};
  char *sentence = text_format_list(format, arguments);
  if (!sentence) {
    line_lose(stream);
    return;
  }
  text_append_string(&line, name);
  say_spell(&line, sentence);
  text_append_string(&line, "\n");
  if (line.failed)
    line_lose(stream);
  else
    fwrite(line.bytes, 1, line.size, stream);
  text_free(&line);
  free(sentence);
}

void say_line(FILE *stream, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  line_print(stream, "", format, arguments);
  va_end(arguments);
}

void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  line_print(stderr, "nina: ", format, arguments);
  va_end(arguments);
}

void say_named(FILE *stream, const char *name, const char *format, ...) {
  char prefix[64];
  va_list arguments;
  snprintf(prefix, sizeof prefix, "  %-11s ", name);
  va_start(arguments, format);
  line_print(stream, prefix, format, arguments);
  va_end(arguments);
}
