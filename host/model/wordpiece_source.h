/* From the pieces and settings of a WordPiece tokenizer, wherever they stand, to its source. For host/model
 * only. */
#pragma once

#include "host/model/added_tokens_read.h"
#include "host/model/tokenizer_source.h"
#include "host/model/wordpiece.h"

/* Texts belong to the files that they are from. */
struct wordpiece_settings {
  struct bert_normaliser normal;
  const char *unknown; /* the token of an unknown word */
  const char *prefix;  /* of every piece but a word's first */
  int32_t longest;     /* characters in a word */
};

/* What transformers' class BertTokenizer does, whatever tokenizer.json says: most of it is fixed, some is in
 * tokenizer_config.json. */
bool wordpiece_source_class(const struct added_files *files, struct wordpiece_settings *settings,
                            struct error *error);

/* A piece; its index in the list is its id. Without bytes: there is no piece with this id. */
struct wordpiece_piece {
  const char *bytes;
  size_t length;
};

/* Fills the source, but for the tokens around a text. If a piece is there twice, the last one counts, as in
 * transformers. */
bool wordpiece_source_fill(struct tokenizer_source *source, const struct wordpiece_piece *pieces,
                           int32_t count, const struct wordpiece_settings *settings, struct error *error);

/* Makes the digest of all this: of everything that decides the ids, except the added tokens. */
bool wordpiece_source_seal(struct tokenizer_source *source, const struct wordpiece_piece *pieces,
                           int32_t count, const struct wordpiece_settings *settings, struct error *error);
