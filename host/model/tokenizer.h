/* Text to token ids: the same ids as sentence-transformers computes.
 *
 * First the added tokens (added_tokens.h) are cut out: `</s>` in a text is the token. The text between them
 * is cut into words (words.h, byte_words.h); each word is normalised and segmented alone, as the tokenizer's
 * kind does it:
 *
 * - Unigram, XLM-RoBERTa's: pieces, scores and a precompiled normaliser map from tokenizer.json or
 *   sentencepiece.bpe.model. With the latter the ids follow fairseq: <s> 0, <pad> 1, </s> 2, <unk> 3, any
 *   other piece its sentencepiece id + 1. With tokenizer.json an id is the place in its vocabulary; for XLM-R
 *   both give the same ids.
 * - WordPiece, BERT's, cased or uncased: from tokenizer.json, or from vocab.txt and tokenizer_config.json.
 * - Byte-level BPE, RoBERTa's: from tokenizer.json, or from vocab.json and merges.txt. Nothing is normalised;
 * a word has the space before it.
 *
 * Added tokens may follow after the vocabulary.
 *
 * Encoding stops at `max_tokens`, so a long text costs only its first page (and the search for added tokens,
 * one look at each byte). If a run without white space is longer than WORD_BYTES_MAX bytes, it is cut there,
 * at the last character border before, and encoded in pieces.
 *
 * Known differences from Hugging Face's tokenizer: runs longer than WORD_BYTES_MAX, and marks newer than
 * utf8proc's tables (README, Limits). */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct tokenizer;

/* Opens the tokenizer in a folder (the transformer module's, or one that holds only a tokenizer):
 * tokenizer.json if it exists; else, if tokenizer_class in tokenizer_config.json is XLM-RoBERTa's,
 * sentencepiece.bpe.model; else, if the class is RoBERTa's or if there is none, vocab.json and
 * merges.txt; else, if the class is BERT's or if there is none, vocab.txt. NULL on error. Any other tokenizer
 * is ERROR_UNSUPPORTED; the sentence gives the found and the expected one. */
struct tokenizer *tokenizer_open(const char *folder, struct error *error);

/* As tokenizer_open, with another engine. TOKENIZER_SENTENCEPIECE: the sentencepiece library segments the
 * whole text (host/model/library_encode.h), after our own parser has accepted the file; ERROR_USAGE if the
 * tokenizer is no Unigram, or if the program was built without the library. */
enum tokenizer_engine { TOKENIZER_AUTO, TOKENIZER_SENTENCEPIECE };
struct tokenizer *tokenizer_open_engine(const char *folder, enum tokenizer_engine engine,
                                        struct error *error);

/* The engine that it was opened with. */
enum tokenizer_engine tokenizer_engine_of(const struct tokenizer *tokenizer);

/* "auto" or "sentencepiece"; static. */
const char *tokenizer_engine_name(enum tokenizer_engine engine);

void tokenizer_close(struct tokenizer *tokenizer);

/* XXH3-128, in hexadecimal, of everything that decides the ids: the bytes of sentencepiece.bpe.model, or the
 * ids, pieces, scores and map in tokenizer.json; of WordPiece, the ids, pieces and settings; of byte BPE,
 * these and the merges; and the added tokens with their ids and settings. */
void tokenizer_hash(const struct tokenizer *tokenizer, char hash[33]);

/* Number of pieces in the vocabulary, with special and added tokens; every id is lower. */
int32_t tokenizer_pieces(const struct tokenizer *tokenizer);

/* True if the word table has far more rows than the vocabulary has pieces. Tables are padded, but not by an
 * eighth: the vocabulary's file may be cut, and most words would become unknown. */
bool tokenizer_lacks_pieces(const struct tokenizer *tokenizer, int32_t rows);

/* "Unigram", "WordPiece" or "byte BPE"; static. */
const char *tokenizer_kind_name(const struct tokenizer *tokenizer);

/* "sentencepiece.bpe.model", "vocab.txt", "vocab.json" or "tokenizer.json"; static. */
const char *tokenizer_source_name(const struct tokenizer *tokenizer);

/* One thread's view of a tokenizer: scratch memory and a bounded cache of words. The tokenizer is shared and
 * never changes. */
struct token_encoder;
struct token_encoder *token_encoder_open(const struct tokenizer *tokenizer, struct error *error);
void token_encoder_close(struct token_encoder *encoder);

/* Writes at most max_tokens ids (at least 2) to `ids`: <s>, the text's ids, </s> (or [CLS] and [SEP]). `text`
 * is UTF-8 and may contain NULs. *truncated is set only if a further token exists. Returns false if memory is
 * short. */
bool token_encoder_encode(struct token_encoder *encoder, const char *text, int64_t length, int32_t max_tokens,
                          int32_t *ids, int32_t *count, bool *truncated, struct error *error);

/* The number of bytes in the last text that its ids stand for. If the text was not truncated: all bytes. If
 * truncated: the bytes up to the end of the last word whose ids are all there; but a run without white space
 * longer than TOKENIZER_WORD_BYTES (Chinese and Thai write no spaces) is cut inside, between two characters.
 * These bytes alone, encoded again, are not truncated. */
#define TOKENIZER_WORD_BYTES 64
int64_t token_encoder_kept(const struct token_encoder *encoder);
