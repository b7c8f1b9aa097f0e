#include <stdlib.h>
#include <string.h>

#include "host/model/library_encode.h"
#include "host/model/tokenizer_kind.h"
#include "host/model/utf8.h"
#include "host/model/word_cache.h"

struct token_encoder {
  const struct tokenizer *tokenizer;
  struct word_cache *cache;
  struct word_scratch scratch;
  struct library_pieces pieces; /* if the sentencepiece library encodes */
  int64_t kept;                 /* bytes of the last text that its ids stand for */
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
  word_text_free(&encoder->scratch.text);
  word_text_free(&encoder->scratch.stretch);
  lattice_free(&encoder->scratch.lattice);
  byte_merger_free(&encoder->scratch.merger);
  id_list_free(&encoder->scratch.ids);
  library_pieces_free(&encoder->pieces);
  free(encoder);
}

/* Puts a word's ids into the scratch memory. */
static bool word_segment(struct token_encoder *encoder, const struct word *word, size_t enough,
                         struct error *error) {
  encoder->scratch.ids.count = 0;
  return encoder->tokenizer->source.kind->word_encode(encoder->tokenizer, &encoder->scratch, word, enough,
                                                      error);
}

/* Gives one word's ids, valid until the next call. If the word has more than `room` ids, some may be
 * missing, but more than `room` are there. */
static bool word_encode(struct token_encoder *encoder, const struct word *word, size_t room,
                        const int32_t **ids, size_t *count, struct error *error) {
  const struct cached_word *known =
      word->spaced ? NULL : word_cache_find(encoder->cache, word->bytes, word->length);
  if (known) {
    *ids = known->ids;
    *count = known->count;
    return true;
  }
  if (!word_segment(encoder, word, room, error)) return false;
  *ids = encoder->scratch.ids.id;
  *count = encoder->scratch.ids.count;
  if (!word->spaced) word_cache_put(encoder->cache, word->bytes, word->length, *ids, *count);
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
    size_t middle = utf8_start(word->bytes, fits, fits + (beyond - fits) / 2);
    if (middle == fits) middle = character_after(word->bytes, fits, beyond);
    if (middle >= beyond) break;
    struct word part = *word;
    part.length = middle;
    if (!word_segment(encoder, &part, room, error)) return false;
    if (encoder->scratch.ids.count <= room)
      fits = middle;
    else
      beyond = middle;
  }
  if (fits) output->kept = word->bytes + fits;
  return true;
}

static bool words_encode(struct token_encoder *encoder, const char *text, const char *end,
                         struct output *output, struct error *error) {
  const struct tokenizer_kind *kind = encoder->tokenizer->source.kind;
  struct word_reader reader = kind->words(encoder->tokenizer, text, end);
  struct word word;
  while (!output->truncated && kind->word_next(&reader, &word)) {
    const int32_t *ids;
    size_t count;
    const size_t room = output->room;
    if (!word_encode(encoder, &word, room, &ids, &count, error)) return false;
    output_put(output, ids, count);
    if (word.blank) continue;
    if (!output->truncated)
      output->kept = word.bytes + word.length;
    else if (word.length > TOKENIZER_WORD_BYTES && !word_keep_part(encoder, &word, room, output, error))
      return false;
  }
  return true;
}

/* Cuts the added tokens of a set out of a text, and encodes what is between them. The normalised tokens of a
 * kind that does not normalise are cut out there too. */
static bool text_encode(struct token_encoder *encoder, const struct added_set *set, const char *text,
                        const char *end, struct output *output, struct error *error) {
  const struct tokenizer *tokenizer = encoder->tokenizer;
  const bool last = tokenizer->source.kind->token_form || set == &tokenizer->normalised;
  struct added_search search = {.set = set, .text = text, .length = (size_t)(end - text)};
  for (size_t at = 0; at <= search.length && !output->truncated;) {
    struct added_match match;
    const bool found = added_search_next(&search, &match);
    const size_t stop = found ? match.start : search.length;
    if (at < stop &&
        !(last ? words_encode(encoder, text + at, text + stop, output, error)
               : text_encode(encoder, &tokenizer->normalised, text + at, text + stop, output, error)))
      return false;
    if (!found) break;
    if (!output->truncated) output_put(output, &match.id, 1);
    at = match.stop;
    if (!output->truncated) output->kept = text + at;
  }
  return true;
}

bool token_encoder_encode(struct token_encoder *encoder, const char *text, int64_t length, int32_t max_tokens,
                          int32_t *ids, int32_t *count, bool *truncated, struct error *error) {
  const struct tokenizer *tokenizer = encoder->tokenizer;
  if (tokenizer->library)
    return library_encode(tokenizer, &encoder->pieces, text, length, max_tokens, ids, count, truncated,
                          &encoder->kept, error);
  struct output output = {.ids = ids, .used = 1, .room = (size_t)max_tokens - 2, .kept = text};
  ids[0] = tokenizer->source.first;
  if (!text_encode(encoder, &tokenizer->raw, text, text + length, &output, error)) return false;
  ids[output.used++] = tokenizer->source.last;
  *count = (int32_t)output.used;
  *truncated = output.truncated;
  encoder->kept = output.truncated ? output.kept - text : length;
  return true;
}

int64_t token_encoder_kept(const struct token_encoder *encoder) {
  return encoder->kept;
}
