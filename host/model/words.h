/* A text's words. A text is a row of extended grapheme clusters (UAX #29). The normaliser works cluster by
 * cluster, as in Hugging Face's tokenizers. If a cluster has fewer than 6 bytes and begins with a key of the
 * map, the shortest such key's replacement replaces the whole cluster. Otherwise each character of the
 * cluster is looked up alone.
 *
 * Spaces in the normalised text separate words. This code cuts a text only at a space that is a whole
 * cluster, so no cluster belongs to two words. A word may still have a space inside a longer cluster; its
 * normalised form then has several parts (normaliser.h). */
#pragma once

#include <stddef.h>

#include "host/model/characters.h"

/* A longer word is cut, so no text needs more memory than this times a small number. */
#define WORD_BYTES_MAX 65536

struct word {
  const char *bytes;
  size_t length;
  bool plain;  /* every character is a cluster */
  bool spaced; /* a space that is not in the bytes comes before them (byte_words.h: nor in the text) */
  bool blank;  /* byte_words.h: white space alone */
};

/* At a text's beginning, all fields except the first three are zero. */
struct word_reader {
  const struct character_set *characters; /* not for byte_words.h */
  const char *at, *end;
  bool spaced; /* of the next word */
  bool marks;  /* a word that begins with a mark of its own is `spaced` if a space comes before it */
  bool whole;  /* byte_words.h: the text is one word */
};

/* False if no word is left. */
bool word_next(struct word_reader *reader, struct word *word);

/* A place in a word. At the word's beginning, all fields except the first two are zero. */
struct cluster_place {
  const char *at, *end;
  bool inside;   /* inside a cluster whose characters are looked up one by one */
  int32_t state; /* characters_join's state, if inside */
};

/* A cluster or a character that the map looks up. */
struct cluster_part {
  const char *bytes;
  size_t size;
  const char *replacement; /* NULL: the part stays as it is */
  size_t replacement_size;
};

/* Steps over the next part; false at the end. A step costs only the part's own bytes, however long its
 * cluster is. */
bool cluster_part_next(const struct charsmap *map, const struct character_set *characters,
                       struct cluster_place *place, struct cluster_part *part);
