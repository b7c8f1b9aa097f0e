#include <stdlib.h>
#include <string.h>

#include "host/model/tokenizer_shared.h"
#include "host/model/word_cache.h"

struct token_encoder {
  const struct tokenizer *tokenizer;
  struct piece_ids *library_ids;
  struct word_cache *cache;
  int32_t *ids; /* [capacity] of the word encoded last */
  size_t capacity;
};

struct token_encoder *token_encoder_open(const struct tokenizer *tokenizer, struct error *error) {
  struct token_encoder *encoder = calloc(1, sizeof *encoder);
  if (!encoder) {
    error_set_memory(error, sizeof *encoder, "a token encoder");
    return NULL;
  }
  encoder->tokenizer = tokenizer;
  encoder->library_ids = piece_ids_open(error);
  encoder->cache = encoder->library_ids ? word_cache_open(error) : NULL;
  if (encoder->cache) return encoder;
  token_encoder_close(encoder);
  return NULL;
}

void token_encoder_close(struct token_encoder *encoder) {
  if (!encoder) return;
  piece_ids_close(encoder->library_ids);
  word_cache_close(encoder->cache);
  free(encoder->ids);
  free(encoder);
}

/* The character at `at`, which is not ASCII; *size is its bytes. Text is valid UTF-8 by contract; from any
 * other, code points past the last one may come, and never a read past `end`: a character that does not fit
 * has size 0. */
static uint32_t character_read(const char *at, const char *end, int *size) {
  const unsigned char *bytes = (const unsigned char *)at;
  *size = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
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

/* Room for `count` ids of a word, which are then converted from the library's. */
static bool ids_convert(struct token_encoder *encoder, const int32_t *library_ids, size_t count,
                        struct error *error) {
  const struct token_ids *map = &encoder->tokenizer->ids;
  if (count > encoder->capacity) {
    int32_t *grown = realloc(encoder->ids, count * sizeof *grown);
    if (!grown) return error_set_memory(error, count * sizeof *grown, "the ids of a word");
    encoder->ids = grown;
    encoder->capacity = count;
  }
  for (size_t i = 0; i < count; i++)
    encoder->ids[i] = library_ids[i] == map->library_unknown ? map->unknown : library_ids[i] + map->shift;
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
  const int32_t *library_ids = NULL;
  if (!piece_model_encode(encoder->tokenizer->model, word, length, encoder->library_ids, &library_ids, count,
                          error) ||
      !ids_convert(encoder, library_ids, *count, error))
    return false;
  word_cache_put(encoder->cache, word, length, encoder->ids, *count);
  *ids = encoder->ids;
  return true;
}

bool token_encoder_encode(struct token_encoder *encoder, const char *text, int64_t length, int32_t max_tokens,
                          int32_t *ids, int32_t *count, bool *truncated, struct error *error) {
  const struct border_set *borders = &encoder->tokenizer->borders;
  const char *end = text + length;
  size_t used = 0, room = (size_t)max_tokens - 2;
  ids[used++] = encoder->tokenizer->ids.first;
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
  ids[used++] = encoder->tokenizer->ids.last;
  *count = (int32_t)used;
  return true;
}
