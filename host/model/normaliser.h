/* A word as the model's pieces spell it. */
#pragma once

#include "host/model/words.h"

/* Stands before every word, and for a space that the map puts into one (U+2581). */
#define WORD_MARK "\xe2\x96\x81"
#define WORD_MARK_BYTES 3

/* One thread's scratch memory. Zeroed it is empty; its memory is kept from word to word. */
struct word_text {
  char *bytes;
  size_t length, capacity;
};

void word_text_free(struct word_text *text);

/* Writes the normalised word: its parts, replaced as the map says; a border that the map leaves alone is a
 * space. Spaces at either end fall away, others become one mark each run, and a mark stands before the first
 * character: "½" may give "▁1⁄2", and "´" after an a "▁a▁ ́". Empty if nothing is left. Returns false when
 * memory is short. */
bool word_normalise(const struct charsmap *map, const struct character_set *characters,
                    const struct word *word, struct word_text *text, struct error *error);

/* Writes `bytes` with a mark before them, unless they begin with one. Returns false when memory is short. */
bool word_text_mark(struct word_text *text, const char *bytes, size_t length, struct error *error);

/* The length of the first of the parts that begin with a mark, in a text that begins with one: each is
 * encoded by itself. */
size_t word_part(const char *text, size_t length);
