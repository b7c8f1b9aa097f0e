/* The precompiled normaliser map of sentencepiece: what it replaces.
 *
 * Layout (sentencepiece, normalizer.cc): u32 size of the trie in bytes; a Darts-clone double array of u32
 * units whose keys are UTF-8 strings and whose values are offsets into what follows; NUL-terminated
 * replacements. All little-endian, at any alignment. */
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

/* `bytes` must outlive the map. Size 0 is the map that changes nothing. Every unit is checked, so that no key
 * can lead out of the array, and every replacement, so that a word grows by no more than
 * CHARSMAP_REPLACEMENT_BYTES for a byte (33 for three bytes is the most that Unicode's NFKC asks for). */
bool charsmap_open(const void *bytes, size_t size, struct charsmap *map, struct error *error);

#define CHARSMAP_REPLACEMENT_BYTES 255

/* The shortest key with which `text` begins: returns its bytes, and its replacement in `replacement` (NUL
 * after its *size bytes). 0: no key. */
size_t charsmap_match(const struct charsmap *map, const char *text, size_t length, const char **replacement,
                      size_t *size);

#define CHARSMAP_BLOCK 64

/* The replacements of the CHARSMAP_BLOCK characters from code point `first`, a multiple of that number; NULL
 * for a character that is no key by itself. Returns false if none of them is one. */
bool charsmap_block(const struct charsmap *map, uint32_t first, const char *replacements[CHARSMAP_BLOCK]);
