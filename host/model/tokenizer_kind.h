/* A kind of tokenizer: what Unigram and its like do in their own way. Common to all kinds are the cache of
 * words, the added tokens and the longest input (tokenizer.c, token_encoder.c).
 *
 * A new kind is a file tokenizer_NAME.c with its struct tokenizer_kind, a reader that sets source->kind, and
 * its own member of struct tokenizer_source. Private to host/model. */
#pragma once

#include "host/model/byte_bpe.h"
#include "host/model/normaliser.h"
#include "host/model/tokenizer_shared.h"
#include "host/model/unigram.h"

/* One thread's scratch memory, kept from word to word. A zeroed struct is empty. */
struct word_scratch {
  struct word_text text;    /* the word, normalised */
  struct word_text stretch; /* a part of that */
  struct lattice lattice;
  struct byte_merger merger;
  struct id_list ids; /* the word's ids */
};

struct tokenizer_kind {
  const char *name; /* for people: "Unigram" */

  /* The id of a piece of the vocabulary, or -1. */
  int32_t (*find)(const struct tokenizer_source *source, const char *piece, size_t length);

  /* Fills tokenizer->characters, and what else word_encode needs, from the source. */
  bool (*prepare)(struct tokenizer *tokenizer, struct error *error);

  /* The words of a text without raw added tokens. word_next is false if none is left. */
  struct word_reader (*words)(const struct tokenizer *tokenizer, const char *text, const char *end);
  bool (*word_next)(struct word_reader *reader, struct word *word);

  /* NULL if the kind does not normalise: a `normalized` added token is then searched as it is, in the text
   * between the raw ones. Otherwise writes the text for which a normalised word is searched if `content` is
   * an added token that is `normalized`. *one_word is false if that text may reach from one word into
   * another. */
  bool (*token_form)(const struct tokenizer *tokenizer, const char *content, size_t length,
                     struct word_text *form, bool *one_word, struct error *error);

  /* Appends a word's ids to scratch->ids; normalised added tokens in it are ids too. Once more than `enough`
   * ids are there, the rest of a word longer than WORD_CACHE_BYTES may be left out. */
  bool (*word_encode)(const struct tokenizer *tokenizer, struct word_scratch *scratch,
                      const struct word *word, size_t enough, struct error *error);

  /* Frees the kind's own members of a source. */
  void (*free)(struct tokenizer_source *source);
};

extern const struct tokenizer_kind tokenizer_unigram, tokenizer_byte_bpe, tokenizer_wordpiece;
