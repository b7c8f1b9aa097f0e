/* The precompiled normaliser map of sentencepiece: keys and their replacements.
 *
 * Layout (sentencepiece, normalizer.cc): u32 size of the trie in bytes; the trie, a Darts-clone double array
 * of u32 units whose keys are UTF-8 strings and whose values are offsets into the replacements; the
 * replacements, each ending in NUL. All little-endian, at any alignment. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

struct charsmap {
  const unsigned char *units; /* [count] u32 */
  size_t count;
  const char *replacements;
  size_t replacements_size;
};

/* `bytes` must outlive the map. With size 0 the map changes nothing. Every unit is checked, so no key can
 * lead outside the array. Every replacement is checked, so a word grows by at most CHARSMAP_REPLACEMENT_BYTES
 * per byte (Unicode's NFKC needs at most 33 for three bytes). */
bool charsmap_open(const void *bytes, size_t size, struct charsmap *map, struct error *error);

#define CHARSMAP_REPLACEMENT_BYTES 255

/* Finds the shortest key that begins `text`. Returns the key's length and its replacement (*size bytes, then
 * a NUL); 0 if there is no key. */
size_t charsmap_match(const struct charsmap *map, const char *text, size_t length, const char **replacement,
                      size_t *size);

#define CHARSMAP_BLOCK 64

/* Gives the replacements for CHARSMAP_BLOCK characters from code point `first`, a multiple of CHARSMAP_BLOCK;
 * NULL if the character alone is no key. Returns false if none of the characters is a key. */
bool charsmap_block(const struct charsmap *map, uint32_t first, const char *replacements[CHARSMAP_BLOCK]);
