/* A word as the model's pieces spell it. */
#pragma once

#include <stddef.h>

#include "host/model/charsmap.h"

/* Stands before every word, and for a space that the map puts into one (U+2581). */
#define WORD_MARK "\xe2\x96\x81"
#define WORD_MARK_BYTES 3

/* One thread's scratch memory. Zeroed it is empty; its memory is kept from word to word. */
struct word_text {
  char *bytes;
  size_t length, capacity;
};

void word_text_free(struct word_text *text);

/* Writes the normalised `word`: at every place the longest key of the map that begins there is replaced, and
 * a character that begins none is kept. Spaces at either end fall away, others become one mark each run, and
 * a mark stands before the first character: "½" may give "▁1⁄2", and "´" after an a "▁a▁ ́". Empty where
 * nothing is left. Returns false when memory is short. */
bool word_normalise(const struct charsmap *map, const char *word, size_t length, struct word_text *text,
                    struct error *error);

/* The length of the first of the parts that begin with a mark, in a text that begins with one: each is
 * encoded by itself. */
size_t word_part(const char *text, size_t length);
