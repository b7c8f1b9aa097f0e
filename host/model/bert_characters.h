/* What BERT's normaliser must know about characters, exactly as Hugging Face's tokenizers (0.23) have it: its
 * parts were built with different versions of Unicode, so the tables here stand beside utf8proc's.
 * scripts/make-bert-characters writes them from the tokenizers themselves. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool is_ascii_punctuation(unsigned char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/* What clean_text drops. */
bool bert_is_dropped(uint32_t code_point);

/* What spaced_ideographs puts spaces around. */
bool bert_is_ideograph(uint32_t code_point);

/* What strip_accents drops: nonspacing marks. */
bool bert_is_mark(uint32_t code_point);

bool bert_is_punctuation(uint32_t code_point);

/* The lowercase form; returns its number of characters. */
#define BERT_LOWER_MAX 2
size_t bert_lower(uint32_t code_point, uint32_t lower[BERT_LOWER_MAX]);

/* The canonical decomposition; returns its number of characters. */
#define BERT_PARTS_MAX 4
size_t bert_decompose(uint32_t code_point, uint32_t parts[BERT_PARTS_MAX]);

/* The canonical combining class; 0 for a character that does not move. */
unsigned bert_combining_class(uint32_t code_point);
