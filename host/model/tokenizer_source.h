/* The source of a tokenizer's pieces: tokenizer.json, or the file that the tokenizer's kind has without it.
 * For host/model only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#include "host/model/added_tokens.h"
#include "host/model/unigram.h"
#include "io/error.h"

struct wordpiece;

#define TOKENIZER_SPM "sentencepiece.bpe.model"
#define TOKENIZER_JSON "tokenizer.json"
#define TOKENIZER_VOCAB "vocab.json"
#define TOKENIZER_MERGES "merges.txt"
#define TOKENIZER_VOCAB_TXT "vocab.txt"
#define TOKENIZER_PIECES_MAX (1 << 24)
#define SPM_BYTES_MAX ((size_t)256 << 20)

struct tokenizer_source {
  const struct tokenizer_kind *kind; /* set by the reader; NULL: nothing is read yet */

  /* Unigram: */
  struct unigram *unigram; /* the whole vocabulary, with the final ids; owned */
  unsigned char *charsmap; /* [charsmap_size], the normaliser map; owned; NULL if there is none */
  size_t charsmap_size;
  int32_t unknown;  /* id of what no piece covers */
  int32_t shift;    /* an id less the piece's index in the file */
  bool only_spaces; /* words end only at U+0020, not at all white space, which is stripped at a text's end */
  bool strips_left; /* and at its beginning */
  bool marks_stay;  /* a space between a normalised added token and a word is a piece */

  /* Byte BPE: */
  struct byte_bpe *byte_bpe; /* vocabulary and merges; owned */
  bool prefix_space;         /* a text that does not begin with a space gets one */
  bool whole_words;          /* a text is not cut into words */

  /* WordPiece: */
  struct wordpiece *wordpiece; /* owned */

  /* All kinds: */
  int32_t first, last;       /* ids of the tokens around a text: <s>, </s> */
  int32_t count;             /* every id is lower */
  int32_t next;              /* id of the first added token that is not in the vocabulary; 0: count */
  bool keeps_special;        /* a special token in a text stays text */
  struct added_tokens added; /* tokenizer.json's; after added_tokens_read: all, with ids */
  XXH128_hash_t digest;      /* digest of everything that decides the ids */
};

struct added_files;
struct special_names;

/* Each reads its file into a zeroed source. Free the source with tokenizer_source_free, also after a failure.
 * Refused is anything that would give other ids than Hugging Face's: byte fallback, user-defined and unused
 * pieces, a normaliser without its usual settings. If the folder names no class, tokenizer_json_read sets
 * files->class to the class that transformers then takes. */
bool tokenizer_spm_read(const char *folder, const struct special_names *names,
                        struct tokenizer_source *source, struct error *error);
bool tokenizer_merges_read(struct added_files *files, struct tokenizer_source *source, struct error *error);
bool tokenizer_json_read(struct added_files *files, struct tokenizer_source *source, struct error *error);
bool tokenizer_vocab_read(const struct added_files *files, struct tokenizer_source *source,
                          struct error *error);

void tokenizer_source_free(struct tokenizer_source *source);
