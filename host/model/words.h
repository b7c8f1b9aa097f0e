/* A text's words. A text is a row of extended grapheme clusters (UAX #29), and the normaliser works cluster
 * by cluster, as Hugging Face's tokenizers does: if a cluster has fewer than 6 bytes and the map has a key
 * that begins it, the shortest such key's replacement stands for the whole cluster; otherwise each of its
 * characters is looked up by itself.
 *
 * Words are what lies between the spaces of the normalised text. Here a text is cut at spaces that are
 * clusters by themselves, so that no cluster is in two words. A word may still hold a space, in a longer
 * cluster: its normalised form then has several parts (normaliser.h). */
#pragma once

#include <stddef.h>

#include "host/model/characters.h"

/* A word of more bytes is cut, so that no text asks for more memory than this times a small number. */
#define WORD_BYTES_MAX 65536

struct word {
  const char *bytes;
  size_t length;
  bool plain; /* every character is a cluster */
};

/* Zeroed but for the first three it is at a text's beginning. */
struct word_reader {
  const struct character_set *characters;
  const char *at, *end;
};

/* False when no word is left. */
bool word_next(struct word_reader *reader, struct word *word);

/* A place in a word. Zeroed but for the first two it is at the word's beginning. */
struct cluster_place {
  const char *at, *end;
  bool inside;   /* of a cluster whose characters are looked up one by one */
  int32_t state; /* of characters_join; inside only */
};

/* What the map looks up: a cluster, or a character. */
struct cluster_part {
  const char *bytes;
  size_t size;
  const char *replacement; /* NULL: the part stands for itself */
  size_t replacement_size;
};

/* Steps over the next part. False at the end. A step costs the part's own bytes, however long its cluster is.
 */
bool cluster_part_next(const struct charsmap *map, const struct character_set *characters,
                       struct cluster_place *place, struct cluster_part *part);
