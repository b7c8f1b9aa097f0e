/* BERT's normaliser and cut into tokens, as BertNormalizer and BertPreTokenizer of Hugging Face's tokenizers
 * do them, in this order:
 *
 * - clean_text: control characters, private characters, NUL and U+FFFD are dropped; white space becomes a
 *   space (a vertical tab is a control character);
 * - spaced_ideographs: a space before and after each Chinese character;
 * - strip_accents: canonical decomposition (NFD, so Hangul falls apart into letters too), then nonspacing
 *   marks are dropped;
 * - lowercase: each character by itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "host/model/normaliser.h"

struct bert_normaliser {
  bool clean_text, spaced_ideographs, strip_accents, lowercase;
};

/* More marks than this in a row, those that strip_accents leaves, are sorted in runs of this length. (A word
 * of so many characters is unknown in any order.) */
#define BERT_MARKS_MAX 1024

/* Writes the normalised text. The result of two texts one after the other is that of both together if the
 * first ends, or the second begins, with white space, an ASCII punctuation character or, if
 * spaced_ideographs, a Chinese one. Returns false if memory is short. */
bool bert_normalise(const struct bert_normaliser *normaliser, const char *bytes, size_t length,
                    struct word_text *text, struct error *error);

/* The next token in [*at, end) of a normalised text: a punctuation character, or what stands between
 * punctuation and white space. Returns false at the end. */
bool bert_token_next(const char **at, const char *end, const char **token, size_t *length);

/* True if a text has white space in it. */
bool bert_has_space(const char *bytes, size_t length);
