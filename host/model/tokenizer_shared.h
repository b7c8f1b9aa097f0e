/* struct tokenizer: tokenizer.c builds it and token_encoder.c reads it. For host/model only. */
#pragma once

#include "host/model/added_tokens.h"
#include "host/model/tokenizer.h"
#include "host/model/tokenizer_source.h"
#include "host/model/words.h"

struct piece_library;

struct tokenizer {
  struct tokenizer_source source;
  const char *file;    /* name of the source */
  struct charsmap map; /* Unigram's */
  struct character_set characters;
  struct piece_library *library; /* NULL: our own segmentation */
  struct added_set raw;          /* added tokens to find in the text itself */
  struct added_set normalised; /* added tokens to find in a normalised word, or in what is left of the text */
};
