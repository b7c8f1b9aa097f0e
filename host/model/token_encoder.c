#include <stdlib.h>
#include <string.h>

#include "host/model/normaliser.h"
#include "host/model/tokenizer_shared.h"
#include "host/model/utf8.h"
#include "host/model/word_cache.h"

struct token_encoder {
  const struct tokenizer *tokenizer;
  struct word_cache *cache;
  struct word_text text; /* the word encoded last, normalised */
  struct lattice lattice;
};

struct token_encoder *token_encoder_open(const struct tokenizer *tokenizer, struct error *error) {
  struct token_encoder *encoder = calloc(1, sizeof *encoder);
  if (!encoder) {
    error_set_memory(error, sizeof *encoder, "a token encoder");
    return NULL;
  }
  encoder->tokenizer = tokenizer;
  encoder->cache = word_cache_open(error);
  if (encoder->cache) return encoder;
  token_encoder_close(encoder);
  return NULL;
}

void token_encoder_close(struct token_encoder *encoder) {
  if (!encoder) return;
  word_cache_close(encoder->cache);
  word_text_free(&encoder->text);
  lattice_free(&encoder->lattice);
  free(encoder);
}

/* The character at `at`, which is not ASCII; *size is its bytes. Text is valid UTF-8 by contract; from any
 * other, code points past the last one may come, and never a read past `end`: a character that does not fit
 * has size 0. */
static uint32_t character_read(const char *at, const char *end, int *size) {
  const unsigned char *bytes = (const unsigned char *)at;
  *size = (int)utf8_size(bytes[0]);
  if (end - at < *size) {
    *size = 0;
    return 0;
  }
  uint32_t code_point = bytes[0] & (*size == 2 ? 0x1fu : *size == 3 ? 0x0fu : 0x07u);
  for (int i = 1; i < *size; i++) code_point = code_point << 6 | (bytes[i] & 0x3fu);
  return code_point;
}

static bool is_border(const struct border_set *borders, const char *at, const char *end, int *size) {
  const unsigned char byte = (unsigned char)*at;
  *size = 1;
  if (byte < 0x80) return border_set_has(borders, byte);
  const uint32_t code_point = character_read(at, end, size);
  return code_point < CODE_POINTS && border_set_has(borders, code_point);
}

static const char *borders_skip(const struct border_set *borders, const char *at, const char *end) {
  int size;
  while (at < end && is_border(borders, at, end, &size)) at += size;
  return at;
}

/* The end of the word that begins at `at`: the next border, or the last character border within
 * TOKENIZER_RUN_BYTES. */
static const char *word_end(const struct border_set *borders, const char *at, const char *end) {
  const char *start = at;
  const char *limit = end - at > TOKENIZER_RUN_BYTES ? at + TOKENIZER_RUN_BYTES : end;
  int size;
  while (at < limit && !is_border(borders, at, limit, &size)) {
    if (!size) return at > start ? at : limit;
    at += size;
  }
  return at;
}

/* Normalises a word and puts its ids into the lattice. */
static bool word_segment(struct token_encoder *encoder, const char *word, size_t length,
                         struct error *error) {
  struct word_text *text = &encoder->text;
  encoder->lattice.count = 0;
  if (!word_normalise(&encoder->tokenizer->map, word, length, text, error)) return false;
  for (size_t at = 0; at < text->length;) {
    const size_t part = word_part(text->bytes + at, text->length - at);
    if (!unigram_encode(encoder->tokenizer->source.pieces, &encoder->lattice, text->bytes + at, part, error))
      return false;
    at += part;
  }
  return true;
}

/* One word's ids, valid until the next call. */
static bool word_encode(struct token_encoder *encoder, const char *word, size_t length, const int32_t **ids,
                        size_t *count, struct error *error) {
  const struct cached_word *known = word_cache_find(encoder->cache, word, length);
  if (known) {
    *ids = known->ids;
    *count = known->count;
    return true;
  }
  if (!word_segment(encoder, word, length, error)) return false;
  *ids = encoder->lattice.ids;
  *count = encoder->lattice.count;
  word_cache_put(encoder->cache, word, length, *ids, *count);
  return true;
}

bool token_encoder_encode(struct token_encoder *encoder, const char *text, int64_t length, int32_t max_tokens,
                          int32_t *ids, int32_t *count, bool *truncated, struct error *error) {
  const struct border_set *borders = &encoder->tokenizer->borders;
  const char *end = text + length;
  size_t used = 0, room = (size_t)max_tokens - 2;
  ids[used++] = encoder->tokenizer->source.first;
  *truncated = false;
  for (const char *at = borders_skip(borders, text, end); at < end && !*truncated;) {
    const char *next = word_end(borders, at, end);
    const int32_t *word;
    size_t size;
    if (!word_encode(encoder, at, (size_t)(next - at), &word, &size, error)) return false;
    *truncated = size > room;
    if (*truncated) size = room;
    if (size) memcpy(ids + used, word, size * sizeof *ids);
    used += size;
    room -= size;
    at = borders_skip(borders, next, end);
  }
  ids[used++] = encoder->tokenizer->source.last;
  *count = (int32_t)used;
  return true;
}
