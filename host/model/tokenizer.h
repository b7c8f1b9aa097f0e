/* Text to token ids: the ids that sentence-transformers computes for the XLM-RoBERTa tokenizer.
 *
 * The model is the Unigram model of tokenizer.json or sentencepiece.bpe.model: pieces, scores and a
 * precompiled normaliser map. First the added tokens (added_tokens.h) are cut out of the text: `</s>` in a
 * text is the token. What lies between them is cut into words (words.h); each word is normalised and
 * segmented by itself. From sentencepiece.bpe.model the ids follow fairseq: <s> 0, <pad> 1, </s> 2, <unk> 3,
 * any other piece its sentencepiece id + 1; from tokenizer.json they are the places in its vocabulary, which
 * for XLM-R are the same. Added tokens may follow after the vocabulary.
 *
 * Encoding stops when `max_tokens` is reached, so a long text costs its first page (and the search for added
 * tokens, which is a look at each byte). A run of more than WORD_BYTES_MAX bytes without white space is cut
 * there, at the last character border before it, and encoded in pieces.
 *
 * Known differences from Hugging Face's tokenizer: runs past WORD_BYTES_MAX, and marks that are newer than
 * utf8proc's tables (README, Limits). */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct tokenizer;

/* Opens the tokenizer in a folder (the transformer module's, or one that holds a tokenizer
 * alone): tokenizer.json if it is there, else sentencepiece.bpe.model, if tokenizer_class in
 * tokenizer_config.json is XLM-RoBERTa's. NULL on error; any other tokenizer is ERROR_UNSUPPORTED: what was
 * found and expected. */
struct tokenizer *tokenizer_open(const char *folder, struct error *error);
void tokenizer_close(struct tokenizer *tokenizer);

/* XXH3-128 in hexadecimal of what the ids follow from: the bytes of sentencepiece.bpe.model, or the ids,
 * pieces, scores and map of tokenizer.json; and the added tokens with their ids and settings. */
void tokenizer_hash(const struct tokenizer *tokenizer, char hash[33]);

/* Pieces of the vocabulary, special and added tokens counted: ids are below this number. */
int32_t tokenizer_pieces(const struct tokenizer *tokenizer);

/* "sentencepiece.bpe.model" or "tokenizer.json"; static. */
const char *tokenizer_source_name(const struct tokenizer *tokenizer);

/* One thread's view of a tokenizer: scratch memory and a bounded cache of words. The tokenizer itself is
 * shared and immutable. */
struct token_encoder;
struct token_encoder *token_encoder_open(const struct tokenizer *tokenizer, struct error *error);
void token_encoder_close(struct token_encoder *encoder);

/* Writes at most max_tokens ids (at least 2) to `ids`: <s>, the text's ids, </s>. `text` is UTF-8 and may
 * hold NULs. *truncated is set only where a further token exists. Returns false when memory is short. */
bool token_encoder_encode(struct token_encoder *encoder, const char *text, int64_t length, int32_t max_tokens,
                          int32_t *ids, int32_t *count, bool *truncated, struct error *error);

/* How many bytes of the text encoded last its ids stand for: all of them, or, if it was truncated, those up
 * to the end of the last word whose ids are all there. A run of more than TOKENIZER_WORD_BYTES without white
 * space (Chinese and Thai write none) is cut inside, at a character. These bytes encoded by themselves are
 * not truncated. */
#define TOKENIZER_WORD_BYTES 64
int64_t token_encoder_kept(const struct token_encoder *encoder);
