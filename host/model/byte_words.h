/* The words of a text for byte-level BPE: the pre-tokenizer ByteLevel of Hugging Face's tokenizers. It cuts a
 * text by GPT-2's pattern
 *
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * so that every byte belongs to a word. A space goes with the letters, digits or signs after it; of other
 * white space before them, the last character is a word of its own. */
#pragma once

#include "host/model/words.h"

/* The words of a text. If `prefix`, a text that does not begin with a space gets one (add_prefix_space); an
 * empty text stays empty. If `whole`, the text is one word (use_regex is false). */
struct word_reader byte_words(const char *text, const char *end, bool prefix, bool whole);

/* False if no word is left. A word longer than WORD_BYTES_MAX is cut there, between two characters. */
bool byte_word_next(struct word_reader *reader, struct word *word);
