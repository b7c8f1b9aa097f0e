#include "host/model/charsmap.h"

#include <string.h>

#include "host/model/utf8.h"

/* A Darts-clone unit. A node's children lie at node ^ offset ^ label, a key's value at node ^ offset. */
#define UNIT_HAS_VALUE (1u << 8)
#define UNIT_IS_VALUE (1u << 31)
#define UNIT_LABEL (UNIT_IS_VALUE | 0xffu)

static uint32_t read_u32(const unsigned char *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t unit_at(const struct charsmap *map, size_t index) {
  return read_u32(map->units + 4 * index);
}

static size_t unit_offset(uint32_t unit) {
  return (size_t)(unit >> 10) << ((unit & (1u << 9)) >> 6);
}

/* The replacements' last byte is a NUL. */
static bool replacement_check(const struct charsmap *map, size_t start) {
  if (start >= map->replacements_size) return false;
  return strnlen(map->replacements + start, CHARSMAP_REPLACEMENT_BYTES + 1) <= CHARSMAP_REPLACEMENT_BYTES;
}

/* The first unit is the root; no label leads there. Any other unit is followed only if its label says that it
 * is a node. */
static bool units_check(const struct charsmap *map) {
  if (unit_at(map, 0) & UNIT_IS_VALUE) return false;
  for (size_t i = 0; i < map->count; i++) {
    const uint32_t unit = unit_at(map, i);
    const bool inside = unit & UNIT_IS_VALUE ? replacement_check(map, unit & ~UNIT_IS_VALUE)
                                             : ((i ^ unit_offset(unit)) | 0xff) < map->count;
    if (!inside) return false;
  }
  return true;
}

bool charsmap_open(const void *bytes, size_t size, struct charsmap *map, struct error *error) {
  *map = (struct charsmap){0};
  if (!size) return true;
  const unsigned char *start = bytes;
  const size_t trie = size < 4 ? 0 : read_u32(start);
  if (!trie || trie % 4 || trie > size - 4 || trie == size - 4 || start[size - 1] != '\0')
    return error_set(error, ERROR_INPUT, "the normaliser map (%zu bytes) is cut or damaged", size);
  map->units = start + 4;
  map->count = trie / 4;
  map->replacements = (const char *)start + 4 + trie;
  map->replacements_size = size - 4 - trie;
  return units_check(map) ||
         error_set(error, ERROR_INPUT, "the normaliser map (%zu bytes) leads outside of itself", size);
}

/* A place in the trie, reached by a key's first bytes. */
struct cursor {
  size_t node;
  uint32_t unit;
};

static bool cursor_step(const struct charsmap *map, struct cursor *cursor, unsigned char label) {
  cursor->node ^= unit_offset(cursor->unit) ^ label;
  cursor->unit = unit_at(map, cursor->node);
  return (cursor->unit & UNIT_LABEL) == label;
}

/* NULL if no key ends here. */
static const char *cursor_replacement(const struct charsmap *map, const struct cursor *cursor) {
  if (!(cursor->unit & UNIT_HAS_VALUE)) return NULL;
  const uint32_t value = unit_at(map, cursor->node ^ unit_offset(cursor->unit));
  return value & UNIT_IS_VALUE ? map->replacements + (value & ~UNIT_IS_VALUE) : NULL;
}

size_t charsmap_match(const struct charsmap *map, const char *text, size_t length, const char **replacement,
                      size_t *size) {
  if (!map->count) return 0;
  struct cursor cursor = {0, unit_at(map, 0)};
  /* No key contains a NUL: label 0 belongs to free units. */
  for (size_t i = 0; i < length && text[i] && cursor_step(map, &cursor, (unsigned char)text[i]); i++) {
    *replacement = cursor_replacement(map, &cursor);
    if (!*replacement) continue;
    *size = strlen(*replacement);
    return i + 1;
  }
  return 0;
}

bool charsmap_block(const struct charsmap *map, uint32_t first, const char *replacements[CHARSMAP_BLOCK]) {
  /* The characters' UTF-8 differs only in the last byte. */
  char bytes[UTF8_BYTES_MAX];
  const size_t last = utf8_write(first, bytes) - 1;
  if (!map->count) return false;
  struct cursor cursor = {0, unit_at(map, 0)};
  for (size_t i = 0; i < last; i++)
    if (!cursor_step(map, &cursor, (unsigned char)bytes[i])) return false;
  bool any = false;
  for (uint32_t i = 0; i < CHARSMAP_BLOCK; i++) {
    struct cursor leaf = cursor;
    const unsigned char label = (unsigned char)((unsigned char)bytes[last] + i);
    replacements[i] = label && cursor_step(map, &leaf, label) ? cursor_replacement(map, &leaf) : NULL;
    any = any || replacements[i];
  }
  return any;
}
