#include "host/model/words.h"

#include <string.h>

#include "host/model/normaliser.h"
#include "host/model/utf8.h"

/* The class of the character at `at`; *size is its length in bytes. */
static inline unsigned class_at(const struct word_reader *reader, const char *at, size_t *size) {
  const unsigned class = reader->characters->byte[(unsigned char)*at];
  *size = 1;
  if (class != CHARACTER_IS_LONGER) return class;
  return character_set_class(reader->characters, utf8_read(at, reader->end, size));
}

/* True if a border that ends at `next` is a whole cluster, provided that nothing before the border joins
 * it. */
static inline bool border_is_certain(const struct word_reader *reader, const char *next) {
  size_t size;
  return next >= reader->end || class_at(reader, next, &size) != CHARACTER_JOINS;
}

static const char *borders_skip(const struct word_reader *reader) {
  const char *at = reader->at;
  size_t size;
  while (at < reader->end && class_at(reader, at, &size) == CHARACTER_BORDER &&
         border_is_certain(reader, at + size))
    at += size;
  return at;
}

bool word_next(struct word_reader *reader, struct word *word) {
  const unsigned char *const byte_class = reader->characters->byte;
  const char *const start = borders_skip(reader), *at = start;
  const char *const limit = reader->end - start > WORD_BYTES_MAX ? start + WORD_BYTES_MAX : reader->end;
  const char *prepended = NULL; /* the place after a character that joins any next character */
  bool plain = true;
  size_t size = 0;
  for (;; at += size) {
    while (at < limit && byte_class[(unsigned char)*at] == CHARACTER_PLAIN) at++;
    size = 0;
    if (at == limit) break;
    const unsigned class = class_at(reader, at, &size);
    if (class == CHARACTER_BORDER && at != prepended && border_is_certain(reader, at + size)) break;
    if (at + size > limit) {
      size = 0;
      break;
    }
    plain = plain && class == CHARACTER_PLAIN;
    if (class == CHARACTER_PREPENDS) prepended = at + size;
  }
  const bool marked = reader->marks && (reader->spaced || start > reader->at) &&
                      at - start >= WORD_MARK_BYTES && !memcmp(start, WORD_MARK, WORD_MARK_BYTES);
  reader->at = at + size; /* after the border, if there is one */
  reader->spaced = size > 0;
  *word = (struct word){.bytes = start, .length = (size_t)(at - start), .plain = plain, .spaced = marked};
  return at > start;
}

/* If a cluster has this many bytes or more, its characters are looked up one by one (tokenizers,
 * precompiled.rs). */
#define CLUSTER_BYTES 6

/* Like characters_join, which is asked only if the classes leave the answer open. */
static inline bool neighbours_join(const struct character_set *characters, uint32_t before, uint32_t after,
                                   int32_t *state) {
  return (character_set_class(characters, after) == CHARACTER_JOINS ||
          character_set_class(characters, before) == CHARACTER_PREPENDS) &&
         characters_join(before, after, state);
}

/* The size of the cluster that begins at `at`; if it is CLUSTER_BYTES or longer, any number from
 * CLUSTER_BYTES on. */
static size_t cluster_size(const struct character_set *characters, const char *at, const char *end) {
  size_t size;
  uint32_t before = utf8_read(at, end, &size);
  const char *next = at + size;
  for (int32_t state = 0; next < end && next - at < CLUSTER_BYTES; next += size) {
    const uint32_t after = utf8_read(next, end, &size);
    if (!neighbours_join(characters, before, after, &state)) break;
    before = after;
  }
  return (size_t)(next - at);
}

bool cluster_part_next(const struct charsmap *map, const struct character_set *characters,
                       struct cluster_place *place, struct cluster_part *part) {
  if (place->at >= place->end) return false;
  *part = (struct cluster_part){.bytes = place->at};
  if (!place->inside) {
    const size_t size = cluster_size(characters, place->at, place->end);
    if (size < CLUSTER_BYTES &&
        charsmap_match(map, part->bytes, size, &part->replacement, &part->replacement_size)) {
      part->size = size;
      place->at += size;
      return true;
    }
    place->state = 0;
  }
  const uint32_t code_point = utf8_read(place->at, place->end, &part->size);
  if (!charsmap_match(map, part->bytes, part->size, &part->replacement, &part->replacement_size))
    part->replacement = NULL;
  place->at += part->size;
  size_t size;
  place->inside =
      place->at < place->end &&
      neighbours_join(characters, code_point, utf8_read(place->at, place->end, &size), &place->state);
  return true;
}
