/* The words of a text for byte-level BPE: the pre-tokenizer ByteLevel of Hugging Face's tokenizers. It cuts a
 * text by GPT-2's pattern
 *
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * so that every byte belongs to a word. A space goes with the letters, digits or signs after it; of other
 * white space before them, the last character is a word of its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct byte_word {
  const char *bytes; /* [length] */
  size_t length;
  bool spaced; /* a space that is not in the text comes before the bytes; only in a text's first word */
  bool blank;  /* white space alone */
};

struct byte_word_reader {
  const char *at, *end;
  bool spaced; /* as in byte_word, for the next word */
  bool whole;  /* the text is one word (use_regex is false) */
};

/* The words of a text. If `prefix`, a text that does not begin with a space gets one (add_prefix_space); an
 * empty text stays empty. */
struct byte_word_reader byte_words(const char *text, size_t length, bool prefix, bool whole);

/* False if no word is left. A word longer than WORD_BYTES_MAX (words.h) is cut there, between two
 * characters. */
bool byte_word_next(struct byte_word_reader *reader, struct byte_word *word);
