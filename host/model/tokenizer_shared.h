/* struct tokenizer, which tokenizer.c builds and token_encoder.c reads. Inside host/model only. */
#pragma once

#include "host/model/added_tokens.h"
#include "host/model/tokenizer.h"
#include "host/model/tokenizer_source.h"
#include "host/model/words.h"

struct tokenizer {
  struct tokenizer_source source;
  const char *file; /* the source's name */
  struct charsmap map;
  struct character_set characters;
  struct added_set raw;        /* added tokens that the text itself spells */
  struct added_set normalised; /* added tokens that a normalised word spells */
};

/* The words of a text that holds no raw added token. */
static inline struct word_reader tokenizer_words(const struct tokenizer *tokenizer, const char *text,
                                                 const char *end) {
  return (struct word_reader){&tokenizer->characters, text, end};
}
