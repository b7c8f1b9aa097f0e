/* Where a tokenizer's pieces come from: sentencepiece.bpe.model or tokenizer.json. Inside host/model only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#include "host/model/unigram.h"
#include "io/error.h"

#define TOKENIZER_SPM "sentencepiece.bpe.model"
#define TOKENIZER_JSON "tokenizer.json"
#define TOKENIZER_PIECES_MAX (1 << 24)

struct tokenizer_source {
  struct unigram *pieces;  /* owned; they carry our ids */
  unsigned char *charsmap; /* [charsmap_size], the normaliser map; owned; NULL where there is none */
  size_t charsmap_size;
  int32_t first, last;  /* ids of <s>, </s> */
  int32_t count;        /* of the vocabulary, special tokens among it: ids are below this */
  XXH128_hash_t digest; /* of what the ids follow from */
};

/* Both read their file in `folder` into a zeroed source, whose content is freed by tokenizer_source_free also
 * when they fail. They refuse what would give other ids than Hugging Face's: a model other than Unigram, byte
 * fallback, user-defined and unused pieces, a normaliser without its usual settings. */
bool tokenizer_spm_read(const char *folder, struct tokenizer_source *source, struct error *error);
bool tokenizer_json_read(const char *folder, struct tokenizer_source *source, struct error *error);

void tokenizer_source_free(struct tokenizer_source *source);
