/* struct tokenizer: tokenizer.c builds it and token_encoder.c reads it. For host/model only. */
#pragma once

#include "host/model/added_tokens.h"
#include "host/model/tokenizer.h"
#include "host/model/tokenizer_source.h"
#include "host/model/words.h"

struct tokenizer {
  struct tokenizer_source source;
  const char *file;    /* name of the source */
  struct charsmap map; /* Unigram's */
  struct character_set characters;
  struct added_set raw;        /* added tokens to find in the text itself */
  struct added_set normalised; /* added tokens to find in a normalised word */
};

/* The words of a text without raw added tokens. */
static inline struct word_reader tokenizer_words(const struct tokenizer *tokenizer, const char *text,
                                                 const char *end) {
  return (struct word_reader){&tokenizer->characters, text, end};
}
