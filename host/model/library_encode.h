/* Encodes texts with the sentencepiece library, if a tokenizer was opened with that engine. The library sees
 * the whole text, so added tokens and special tokens that a text spells stay text.
 *
 * A long text is cut at the end of a word far past the longest input: no piece reaches over a space, and the
 * library decides from left to right, so the ids before the cut are those of the whole text. A run of 64 KiB
 * without U+0020 is cut too, as our own words are. */
#pragma once

#include "host/model/sentencepiece.h"
#include "host/model/tokenizer_shared.h"

/* Opens the library for a tokenizer that has been read from `folder`: tokenizer->library. ERROR_USAGE if its
 * kind is not Unigram. */
bool library_open(const char *folder, struct tokenizer *tokenizer, struct error *error);

/* As token_encoder_encode, with what token_encoder_kept returns in *kept. */
bool library_encode(const struct tokenizer *tokenizer, struct library_pieces *pieces, const char *text,
                    int64_t length, int32_t max_tokens, int32_t *ids, int32_t *count, bool *truncated,
                    int64_t *kept, struct error *error);
