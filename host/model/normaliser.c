#include "host/model/normaliser.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/utf8.h"

void word_text_free(struct word_text *text) {
  free(text->bytes);
  *text = (struct word_text){0};
}

bool word_text_reserve(struct word_text *text, size_t more, struct error *error) {
  if (text->capacity - text->length >= more) return true;
  const size_t capacity = 2 * text->capacity + more + 256;
  char *grown = realloc(text->bytes, capacity);
  if (!grown) return error_set_memory(error, capacity, "a normalised word");
  text->bytes = grown;
  text->capacity = capacity;
  return true;
}

/* *mark: a mark is due before the next character. */
static bool text_append(struct word_text *text, const char *bytes, size_t size, bool *mark,
                        struct error *error) {
  if (!word_text_reserve(text, size * (WORD_MARK_BYTES + 1), error)) return false;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == ' ') {
      *mark = true;
      continue;
    }
    /* If the text itself has a mark here, no other is added. */
    if (*mark && (size - i < WORD_MARK_BYTES || memcmp(bytes + i, WORD_MARK, WORD_MARK_BYTES) != 0)) {
      memcpy(text->bytes + text->length, WORD_MARK, WORD_MARK_BYTES);
      text->length += WORD_MARK_BYTES;
    }
    *mark = false;
    text->bytes[text->length++] = bytes[i];
  }
  return true;
}

static bool plain_normalise(const struct charsmap *map, const struct word *word, struct word_text *text,
                            struct error *error) {
  bool mark = true;
  size_t taken;
  for (const char *at = word->bytes, *const end = at + word->length; at < end; at += taken) {
    const char *bytes;
    size_t size;
    taken = utf8_size((unsigned char)*at);
    if (taken > (size_t)(end - at)) taken = (size_t)(end - at);
    if (!charsmap_match(map, at, taken, &bytes, &size)) {
      bytes = at;
      size = taken;
    }
    if (!text_append(text, bytes, size, &mark, error)) return false;
  }
  return true;
}

/* The text that a part becomes. */
static const char *part_text(const struct character_set *characters, const struct cluster_part *part,
                             size_t *size) {
  *size = part->replacement_size;
  if (part->replacement) return part->replacement;
  const uint32_t code_point = utf8_read(part->bytes, part->bytes + part->size, size);
  if (character_set_class(characters, code_point) != CHARACTER_BORDER) return part->bytes;
  *size = 1;
  return " ";
}

bool word_normalise(const struct charsmap *map, const struct character_set *characters,
                    const struct word *word, struct word_text *text, struct error *error) {
  text->length = 0;
  if (word->spaced) {
    if (!word_text_reserve(text, WORD_MARK_BYTES, error)) return false;
    memcpy(text->bytes, WORD_MARK, WORD_MARK_BYTES);
    text->length = WORD_MARK_BYTES;
  }
  if (word->plain) return plain_normalise(map, word, text, error);
  bool mark = true;
  struct cluster_place place = {.at = word->bytes, .end = word->bytes + word->length};
  struct cluster_part part;
  while (cluster_part_next(map, characters, &place, &part)) {
    size_t size;
    const char *bytes = part_text(characters, &part, &size);
    if (!text_append(text, bytes, size, &mark, error)) return false;
  }
  return true;
}

bool word_text_mark(struct word_text *text, const char *bytes, size_t length, struct error *error) {
  bool mark = true;
  text->length = 0;
  return text_append(text, bytes, length, &mark, error);
}

bool word_text_space(struct word_text *text, const char *bytes, size_t length, struct error *error) {
  text->length = 0;
  if (!word_text_reserve(text, length + 1, error)) return false;
  text->bytes[0] = ' ';
  memcpy(text->bytes + 1, bytes, length);
  text->length = length + 1;
  return true;
}

size_t word_part(const char *text, size_t length) {
  if (length <= WORD_MARK_BYTES) return length;
  const char *next = memmem(text + WORD_MARK_BYTES, length - WORD_MARK_BYTES, WORD_MARK, WORD_MARK_BYTES);
  return next ? (size_t)(next - text) : length;
}
