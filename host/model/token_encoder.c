#include <stdlib.h>
#include <string.h>

#include "host/model/normaliser.h"
#include "host/model/tokenizer_shared.h"
#include "host/model/word_cache.h"

struct token_encoder {
  const struct tokenizer *tokenizer;
  struct word_cache *cache;
  struct word_text text;    /* the last word, normalised */
  struct word_text stretch; /* the text between two added tokens in this word */
  struct lattice lattice;
  int64_t kept; /* bytes of the last text that its ids stand for */
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
  word_text_free(&encoder->stretch);
  lattice_free(&encoder->lattice);
  free(encoder);
}

/* Puts a normalised stretch's ids into the lattice; the stretch begins with a mark. */
static bool stretch_encode(struct token_encoder *encoder, const char *text, size_t length,
                           struct error *error) {
  for (size_t at = 0; at < length;) {
    const size_t part = word_part(text + at, length - at);
    if (!unigram_encode(encoder->tokenizer->source.pieces, &encoder->lattice, text + at, part, error))
      return false;
    at += part;
  }
  return true;
}

/* The same for a stretch without a mark; the stretch may be empty. */
static bool unmarked_encode(struct token_encoder *encoder, const char *text, size_t length,
                            struct error *error) {
  struct word_text *stretch = &encoder->stretch;
  if (!length) return true;
  return word_text_mark(stretch, text, length, error) &&
         stretch_encode(encoder, stretch->bytes, stretch->length, error);
}

/* Cuts the added tokens out of one part of a normalised word. The text between them gets a mark, like a
 * word. */
static bool part_encode(struct token_encoder *encoder, const char *part, size_t length, struct error *error) {
  const char *text = part + WORD_MARK_BYTES;
  struct added_search search = {
      .set = &encoder->tokenizer->normalised, .text = text, .length = length - WORD_MARK_BYTES};
  struct added_match match;
  size_t at = 0;
  while (added_search_next(&search, &match)) {
    if (match.start > at && !unmarked_encode(encoder, text + at, match.start - at, error)) return false;
    if (!lattice_put(&encoder->lattice, match.id, error)) return false;
    at = match.stop;
  }
  if (!at) return stretch_encode(encoder, part, length, error);
  return unmarked_encode(encoder, text + at, search.length - at, error);
}

/* Normalises a word and puts its ids into the lattice. */
static bool word_segment(struct token_encoder *encoder, const struct word *word, struct error *error) {
  struct word_text *text = &encoder->text;
  encoder->lattice.count = 0;
  if (!word_normalise(&encoder->tokenizer->map, &encoder->tokenizer->characters, word, text, error))
    return false;
  if (!encoder->tokenizer->normalised.count) return stretch_encode(encoder, text->bytes, text->length, error);
  for (size_t at = 0; at < text->length;) {
    const size_t part = word_part(text->bytes + at, text->length - at);
    if (!part_encode(encoder, text->bytes + at, part, error)) return false;
    at += part;
  }
  return true;
}

/* Gives one word's ids, valid until the next call. */
static bool word_encode(struct token_encoder *encoder, const struct word *word, const int32_t **ids,
                        size_t *count, struct error *error) {
  const struct cached_word *known = word_cache_find(encoder->cache, word->bytes, word->length);
  if (known) {
    *ids = known->ids;
    *count = known->count;
    return true;
  }
  if (!word_segment(encoder, word, error)) return false;
  *ids = encoder->lattice.ids;
  *count = encoder->lattice.count;
  word_cache_put(encoder->cache, word->bytes, word->length, *ids, *count);
  return true;
}

struct output {
  int32_t *ids;
  size_t used, room; /* room does not count </s> */
  bool truncated;
  const char *kept; /* end of the text that the ids stand for */
};

static void output_put(struct output *output, const int32_t *ids, size_t count) {
  output->truncated = count > output->room;
  if (output->truncated) count = output->room;
  if (count) memcpy(output->ids + output->used, ids, count * sizeof *ids);
  output->used += count;
  output->room -= count;
}

static size_t character_after(const char *text, size_t at, size_t length) {
  do at++;
  while (at < length && (text[at] & 0xc0) == 0x80);
  return at;
}

/* Finds the longest beginning of a long word that alone takes at most `room` ids; output->kept is its end.
 * The whole word takes more. Halving works because more text rarely takes fewer ids. */
static bool word_keep_part(struct token_encoder *encoder, const struct word *word, size_t room,
                           struct output *output, struct error *error) {
  size_t fits = 0, beyond = word->length;
  for (;;) {
    size_t middle = fits + (beyond - fits) / 2;
    while (middle > fits && (word->bytes[middle] & 0xc0) == 0x80) middle--;
    if (middle == fits) middle = character_after(word->bytes, fits, beyond);
    if (middle >= beyond) break;
    const struct word part = {word->bytes, middle, word->plain};
    if (!word_segment(encoder, &part, error)) return false;
    if (encoder->lattice.count <= room)
      fits = middle;
    else
      beyond = middle;
  }
  if (fits) output->kept = word->bytes + fits;
  return true;
}

static bool words_encode(struct token_encoder *encoder, const char *text, const char *end,
                         struct output *output, struct error *error) {
  struct word_reader reader = tokenizer_words(encoder->tokenizer, text, end);
  struct word word;
  while (!output->truncated && word_next(&reader, &word)) {
    const int32_t *ids;
    size_t count;
    const size_t room = output->room;
    if (!word_encode(encoder, &word, &ids, &count, error)) return false;
    output_put(output, ids, count);
    if (!output->truncated)
      output->kept = word.bytes + word.length;
    else if (word.length > TOKENIZER_WORD_BYTES && !word_keep_part(encoder, &word, room, output, error))
      return false;
  }
  return true;
}

bool token_encoder_encode(struct token_encoder *encoder, const char *text, int64_t length, int32_t max_tokens,
                          int32_t *ids, int32_t *count, bool *truncated, struct error *error) {
  const struct tokenizer *tokenizer = encoder->tokenizer;
  struct added_search search = {.set = &tokenizer->raw, .text = text, .length = (size_t)length};
  struct output output = {.ids = ids, .used = 1, .room = (size_t)max_tokens - 2, .kept = text};
  ids[0] = tokenizer->source.first;
  for (size_t at = 0; at <= search.length && !output.truncated;) {
    struct added_match match;
    const bool found = added_search_next(&search, &match);
    const size_t stop = found ? match.start : search.length;
    if (at < stop && !words_encode(encoder, text + at, text + stop, &output, error)) return false;
    if (!found) break;
    if (!output.truncated) output_put(&output, &match.id, 1);
    at = match.stop;
    if (!output.truncated) output.kept = text + at;
  }
  ids[output.used++] = tokenizer->source.last;
  *count = (int32_t)output.used;
  *truncated = output.truncated;
  encoder->kept = output.truncated ? output.kept - text : length;
  return true;
}

int64_t token_encoder_kept(const struct token_encoder *encoder) {
  return encoder->kept;
}
