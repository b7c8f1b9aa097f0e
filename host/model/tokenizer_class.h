/* Classes of tokenizers, tokenizer_config.json's `tokenizer_class`: what transformers does with a folder's
 * tokenizer follows from the class. This file holds their names and their special tokens. */
#pragma once

#include <stddef.h>

#include "host/model/family.h"

enum tokenizer_class {
  CLASS_UNNAMED,     /* the folder names none */
  CLASS_GENERIC,     /* tokenizer.json alone decides */
  CLASS_XLM_ROBERTA, /* the class decides what tokenizer.json leaves open */
  CLASS_ROBERTA,     /* byte BPE; the class decides all but pieces and merges */
  CLASS_BERT,        /* WordPiece; the class decides all but the pieces */
  CLASS_OTHER,       /* not supported */
};

enum tokenizer_class tokenizer_class_parse(const char *name);

/* The class that transformers takes for a model of this family if no file names a class. */
enum tokenizer_class tokenizer_class_of_family(enum family family);

/* The special tokens that every class of transformers knows, in transformers' order. */
enum special_token {
  SPECIAL_BOS,
  SPECIAL_EOS,
  SPECIAL_UNKNOWN,
  SPECIAL_SEPARATOR,
  SPECIAL_PAD,
  SPECIAL_CLS,
  SPECIAL_MASK,
  SPECIAL_TOKENS,
};

/* "bos_token" and so on: the key in tokenizer_config.json. */
const char *special_token_key(enum special_token token);

/* The class's own special token if no file names one; NULL if the class has none. */
const char *tokenizer_class_token(enum tokenizer_class class, enum special_token token);
