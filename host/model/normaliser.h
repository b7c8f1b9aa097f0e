/* A word in the spelling of the model's pieces. */
#pragma once

#include "host/model/words.h"

/* The mark before every word (U+2581); also replaces a space that the map puts into a word. */
#define WORD_MARK "\xe2\x96\x81"
#define WORD_MARK_BYTES 3

/* One thread's scratch memory, kept from word to word. A zeroed struct is empty. */
struct word_text {
  char *bytes;
  size_t length, capacity;
};

void word_text_free(struct word_text *text);

/* Makes room for `more` bytes after the last one. Returns false if memory is short. */
bool word_text_reserve(struct word_text *text, size_t more, struct error *error);

/* Writes the normalised word: each part, replaced by the map. If the map leaves a border alone, the border
 * becomes a space. Spaces at both ends are dropped; any other run of spaces becomes one mark; a mark comes
 * before the first character, and if the word is `spaced` one more: "½" may give "▁1⁄2", and "´" after an a
 * "▁a▁ ́". If nothing is left, the result is empty. Returns false if memory is short. */
bool word_normalise(const struct charsmap *map, const struct character_set *characters,
                    const struct word *word, struct word_text *text, struct error *error);

/* Writes `bytes` with a mark before them; if they begin with a mark, adds none. Returns false if memory is
 * short. */
bool word_text_mark(struct word_text *text, const char *bytes, size_t length, struct error *error);

/* Writes `bytes` with a space before them, as they are. Returns false if memory is short. */
bool word_text_space(struct word_text *text, const char *bytes, size_t length, struct error *error);

/* In a normalised text, every mark begins a part, and each part is encoded alone. Returns the first part's
 * length; `text` begins with a mark. */
size_t word_part(const char *text, size_t length);
