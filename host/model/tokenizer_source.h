/* Where a tokenizer's pieces come from: sentencepiece.bpe.model or tokenizer.json. Inside host/model only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#include "host/model/added_tokens.h"
#include "host/model/unigram.h"
#include "io/error.h"

#define TOKENIZER_SPM "sentencepiece.bpe.model"
#define TOKENIZER_JSON "tokenizer.json"
#define TOKENIZER_PIECES_MAX (1 << 24)

struct tokenizer_source {
  struct unigram *pieces;  /* the whole vocabulary, with our ids; owned */
  unsigned char *charsmap; /* [charsmap_size], the normaliser map; owned; NULL if there is none */
  size_t charsmap_size;
  int32_t first, last;       /* ids of <s>, </s> */
  int32_t count;             /* ids are below this */
  bool only_spaces;          /* words end at U+0020 alone, and not at all white space */
  bool keeps_special;        /* a text that spells a special token keeps its characters */
  struct added_tokens added; /* those of tokenizer.json; after added_tokens_read, all, with their ids */
  XXH128_hash_t digest;      /* of what the ids follow from */
};

/* The tokens that XLM-RoBERTa's class puts around and beside the pieces. */
struct special_names {
  const char *first, *pad, *last, *unknown, *mask;
};

/* Both read their file in `folder` into a zeroed source, whose content is freed by tokenizer_source_free also
 * when they fail. They refuse what would give other ids than Hugging Face's: a model other than Unigram, byte
 * fallback, user-defined and unused pieces, a normaliser without its usual settings. */
bool tokenizer_spm_read(const char *folder, const struct special_names *names,
                        struct tokenizer_source *source, struct error *error);
bool tokenizer_json_read(const char *folder, struct tokenizer_source *source, struct error *error);

void tokenizer_source_free(struct tokenizer_source *source);
