/* A sentencepiece model made of a tokenizer.json of type Unigram, for the sentencepiece library. For
 * host/model only. */
#pragma once

#include "host/model/tokenizer_source.h"
#include "io/text.h"

/* Appends a serialised ModelProto (sentencepiece_model.proto): the pieces and scores of the tokenizer.json in
 * `folder`, from which `source` was read, and the normaliser map of `source`. A piece's index is its id.
 * Special tokens are control pieces, which no text spells. */
bool spm_write(const char *folder, const struct tokenizer_source *source, struct text *model,
               struct error *error);
