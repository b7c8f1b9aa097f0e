/* What Unicode says of characters, as far as the tokenizer asks: white space, letters of words, and which
 * characters belong to one extended grapheme cluster (UAX #29). The properties are utf8proc's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "host/model/charsmap.h"

#define CODE_POINTS 0x110000

/* Unicode's property White_Space. */
bool character_is_space(uint32_t code_point);

/* \w of Unicode's regular expressions (UTS #18): letters, marks, decimal digits, connectors, joiners. */
bool character_is_word(uint32_t code_point);

/* True if no cluster may end between two neighbours. *state is 0 at a cluster's beginning, and is kept from
 * one pair of a cluster to the next. */
bool characters_join(uint32_t before, uint32_t after, int32_t *state);

/* What the search for words has to know of a character: two bits. */
enum character_class {
  CHARACTER_PLAIN,    /* a letter of a word, which joins no neighbour that is not one of the last two */
  CHARACTER_BORDER,   /* the same, and it ends a word */
  CHARACTER_JOINS,    /* it may belong to one cluster with the character before it, or with one like it */
  CHARACTER_PREPENDS, /* it may belong to one cluster with any character after it */
};

#define CHARACTER_IS_LONGER 4 /* than one byte */

struct character_set {
  uint64_t bits[CODE_POINTS / 32]; /* 272 KiB */
  unsigned char byte[256];         /* by a character's first byte: its class, or CHARACTER_IS_LONGER */
};

/* Borders are the characters that the map turns into a space, and those that it leaves alone of White_Space,
 * or, if `only_spaces`, of U+0020 alone. (It may delete one: then the letters around it belong together.) */
void character_set_fill(struct character_set *set, const struct charsmap *map, bool only_spaces);

static inline unsigned character_set_class(const struct character_set *set, uint32_t code_point) {
  return set->bits[code_point / 32] >> (code_point % 32 * 2) & 3;
}
