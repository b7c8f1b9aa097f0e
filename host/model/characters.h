/* The Unicode properties that the tokenizer needs: white space, letters of words, and extended grapheme
 * clusters (UAX #29). utf8proc supplies them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/model/charsmap.h"

#define CODE_POINTS 0x110000

/* Characters from `first` to `last`, both included. */
struct character_range {
  uint32_t first, last;
};

/* True if one of the ranges [count] holds the character. They stand in order and do not overlap. */
bool character_is_in(const struct character_range *range, size_t count, uint32_t code_point);

/* The same of an array. */
#define CHARACTER_IS_IN(ranges, code_point) \
  character_is_in(ranges, sizeof(ranges) / sizeof *(ranges), code_point)

/* Unicode's property White_Space. */
bool character_is_space(uint32_t code_point);

/* \w of Unicode's regular expressions (UTS #18): letters, marks, decimal digits, connectors, joiners. */
bool character_is_word(uint32_t code_point);

/* \p{L} and \p{N}: the general categories of letters and of numbers. */
bool character_is_letter(uint32_t code_point);
bool character_is_number(uint32_t code_point);

/* A mark that may follow the end of a sentence: a quotation mark, an apostrophe, or what closes a bracket or
 * a quotation (general categories Pe and Pf). */
bool character_closes(uint32_t code_point);

/* True if no cluster may end between two neighbours. *state is 0 at a cluster's beginning, and is kept from
 * pair to pair inside the cluster. */
bool characters_join(uint32_t before, uint32_t after, int32_t *state);

/* What the search for words must know about a character: two bits. */
enum character_class {
  CHARACTER_PLAIN,    /* part of a word; joins a neighbour only if the neighbour is one of the last two
                         classes */
  CHARACTER_BORDER,   /* the same, but ends a word */
  CHARACTER_JOINS,    /* may share a cluster with the character before, or with another of this class */
  CHARACTER_PREPENDS, /* may share a cluster with any character after it */
};

#define CHARACTER_IS_LONGER 4 /* longer than one byte */

struct character_set {
  uint64_t bits[CODE_POINTS / 32]; /* 272 KiB */
  unsigned char byte[256];         /* index: a character's first byte; value: its class, or
                                      CHARACTER_IS_LONGER */
};

/* A character is a border if the map turns it into a space, or if the map leaves it alone and it is
 * White_Space (if `only_spaces`: U+0020 only). (If the map deletes a character, the letters around it belong
 * together.) */
void character_set_fill(struct character_set *set, const struct charsmap *map, bool only_spaces);

/* The same without a map and without clusters: a character is a border if `is_border` says so of it, which
 * happens only up to U+3000. */
void character_set_fill_spaces(struct character_set *set,
                               bool (*is_border)(const void *context, uint32_t code_point),
                               const void *context);

static inline unsigned character_set_class(const struct character_set *set, uint32_t code_point) {
  return set->bits[code_point / 32] >> (code_point % 32 * 2) & 3;
}
