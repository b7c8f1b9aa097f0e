/* Where a tokenizer's pieces come from: sentencepiece.bpe.model or tokenizer.json. Inside host/model only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#include "host/model/added_tokens.h"
#include "host/model/config_file.h"
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

/* A token as all these files write it: its text, or an object with its settings. `key` is for sentences;
 * `special` is what a token is that does not say so. The content stays the file's, and there is no id yet. */
bool added_token_read(const struct config_file *file, const char *key, const json_t *value, bool special,
                      struct added_token *token, struct error *error);

/* The files of a folder, which must outlive them, that name added tokens; their class is the caller's to say.
 */
struct added_files {
  const char *folder; /* for sentences */
  enum added_class { ADDED_GENERIC, ADDED_XLM_ROBERTA } class;
  struct config_file config;  /* tokenizer_config.json */
  struct config_file special; /* special_tokens_map.json, if it counts */
  struct config_file legacy;  /* added_tokens.json, if it counts */
};

bool added_files_read(const char *folder, struct added_files *files, struct error *error);
void added_files_free(struct added_files *files);

/* The names that the files give, or else XLM-RoBERTa's. They live as long as the files. */
bool special_names_read(const struct added_files *files, struct special_names *names, struct error *error);

/* Finds the added tokens that transformers finds, and gives them the ids that it gives them: a token that is
 * in the vocabulary keeps its id there, any other gets the next one after it. Refused: a token for which a
 * file of the folder says another id. The digest then covers them. */
bool added_tokens_read(const struct added_files *files, struct tokenizer_source *source, struct error *error);

void tokenizer_source_free(struct tokenizer_source *source);
