#include "host/model/normaliser.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/utf8.h"

void word_text_free(struct word_text *text) {
  free(text->bytes);
  *text = (struct word_text){0};
}

static bool text_reserve(struct word_text *text, size_t more, struct error *error) {
  if (text->capacity - text->length >= more) return true;
  const size_t capacity = 2 * text->capacity + more + 256;
  char *grown = realloc(text->bytes, capacity);
  if (!grown) return error_set_memory(error, capacity, "a normalised word");
  text->bytes = grown;
  text->capacity = capacity;
  return true;
}

/* *mark: one is due before the next character. */
static bool text_append(struct word_text *text, const char *bytes, size_t size, bool *mark,
                        struct error *error) {
  if (!text_reserve(text, size * (WORD_MARK_BYTES + 1), error)) return false;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == ' ') {
      *mark = true;
      continue;
    }
    if (*mark) {
      memcpy(text->bytes + text->length, WORD_MARK, WORD_MARK_BYTES);
      text->length += WORD_MARK_BYTES;
      *mark = false;
    }
    text->bytes[text->length++] = bytes[i];
  }
  return true;
}

bool word_normalise(const struct charsmap *map, const char *word, size_t length, struct word_text *text,
                    struct error *error) {
  bool mark = true;
  text->length = 0;
  for (size_t at = 0; at < length;) {
    const char *bytes;
    size_t size, taken = charsmap_match(map, word + at, length - at, &bytes, &size);
    if (!taken) {
      bytes = word + at;
      size = utf8_size((unsigned char)*bytes);
      if (size > length - at) size = length - at;
      taken = size;
    }
    if (!text_append(text, bytes, size, &mark, error)) return false;
    at += taken;
  }
  return true;
}

size_t word_part(const char *text, size_t length) {
  if (length <= WORD_MARK_BYTES) return length;
  const char *next = memmem(text + WORD_MARK_BYTES, length - WORD_MARK_BYTES, WORD_MARK, WORD_MARK_BYTES);
  return next ? (size_t)(next - text) : length;
}
