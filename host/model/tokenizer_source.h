/* The source of a tokenizer's pieces: sentencepiece.bpe.model or tokenizer.json. For host/model only. */
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
  struct unigram *pieces;  /* the whole vocabulary, with the final ids; owned */
  unsigned char *charsmap; /* [charsmap_size], the normaliser map; owned; NULL if there is none */
  size_t charsmap_size;
  int32_t first, last;       /* ids of <s>, </s> */
  int32_t count;             /* every id is lower */
  bool only_spaces;          /* words end only at U+0020, not at all white space */
  bool keeps_special;        /* a special token in a text stays text */
  struct added_tokens added; /* tokenizer.json's; after added_tokens_read: all, with ids */
  XXH128_hash_t digest;      /* digest of everything that decides the ids */
};

/* The tokens that XLM-RoBERTa's class adds around and beside the pieces. */
struct special_names {
  const char *first, *pad, *last, *unknown, *mask;
};

/* Each reads its file in `folder` into a zeroed source. Free the source with tokenizer_source_free, also
 * after a failure. Refused is anything that would give other ids than Hugging Face's: a model other than
 * Unigram, byte fallback, user-defined and unused pieces, a normaliser without its usual settings. */
bool tokenizer_spm_read(const char *folder, const struct special_names *names,
                        struct tokenizer_source *source, struct error *error);
bool tokenizer_json_read(const char *folder, struct tokenizer_source *source, struct error *error);

void tokenizer_source_free(struct tokenizer_source *source);
