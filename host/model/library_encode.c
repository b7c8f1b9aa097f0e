#include "host/model/library_encode.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/spm_write.h"
#include "host/model/tokenizer_kind.h"
#include "host/model/utf8.h"
#include "io/file.h"

/* The first part of a text that the library reads. Running text has 3 to 5 bytes a token, Devanagari and Thai
 * up to 12. If the part has too few tokens, the next part is twice as long. */
#define BYTES_PER_TOKEN 16
#define BYTES_LEAST 4096

/* No part is longer, if the longest input is not. A text whose first 1 MiB gives fewer tokens than the
 * longest input is white space, or runs that no piece covers. */
#define PART_BYTES_MAX ((size_t)1 << 20)

static bool file_library_open(const char *folder, struct tokenizer *tokenizer, struct error *error) {
  char *path = file_join(folder, TOKENIZER_SPM), *bytes = NULL;
  size_t size;
  if (!path) return error_set_memory(error, strlen(folder) + sizeof TOKENIZER_SPM + 1, "a path");
  if (file_read(path, SPM_BYTES_MAX, &bytes, &size, error))
    tokenizer->library = piece_library_open(bytes, size, error);
  free(bytes);
  free(path);
  return tokenizer->library != NULL;
}

static bool json_library_open(const char *folder, struct tokenizer *tokenizer, struct error *error) {
  struct text model = {0};
  if (spm_write(folder, &tokenizer->source, &model, error))
    tokenizer->library = piece_library_open(model.bytes, model.size, error);
  text_free(&model);
  return tokenizer->library != NULL;
}

bool library_open(const char *folder, struct tokenizer *tokenizer, struct error *error) {
  const struct tokenizer_kind *kind = tokenizer->source.kind;
  if (kind != &tokenizer_unigram)
    return error_set(
        error, ERROR_USAGE,
        "--tokenizer sentencepiece: %s has a tokenizer of the kind %s (%s); expected " TOKENIZER_SPM
        ", or a " TOKENIZER_JSON " of type Unigram",
        folder, kind->name, tokenizer->file);
  return strcmp(tokenizer->file, TOKENIZER_SPM) == 0 ? file_library_open(folder, tokenizer, error)
                                                     : json_library_open(folder, tokenizer, error);
}

/* The end of the first word that ends at `least` or later, or a place among the spaces after it. A run
 * without spaces is cut as our own words are. */
static size_t word_end(const struct tokenizer *tokenizer, const char *text, size_t length, size_t least) {
  if (least >= length) return length;
  least = utf8_start(text, 0, least);
  const size_t left = length - least, look = left < WORD_BYTES_MAX ? left : WORD_BYTES_MAX;
  const struct tokenizer_kind *kind = tokenizer->source.kind;
  struct word_reader reader = kind->words(tokenizer, text + least, text + least + look);
  struct word word;
  size_t end = kind->word_next(&reader, &word) ? (size_t)(word.bytes + word.length - text) : least + look;
  return end < length ? utf8_start(text, least, end) : end;
}

/* The end of a stretch that the library reads at once: a run of WORD_BYTES_MAX bytes without a space ends it,
 * since the library's time may be the square of such a run's length. */
static size_t stretch_end(const char *text, size_t at, size_t end) {
  for (;;) {
    const size_t left = end - at, look = left < WORD_BYTES_MAX ? left : WORD_BYTES_MAX;
    const char *space = memchr(text + at, ' ', look);
    if (space) {
      at = (size_t)(space - text) + 1;
    } else if (look == left) {
      return end;
    } else {
      return utf8_start(text, at + 1, at + look);
    }
  }
}

/* Gets the pieces of text[0, end), or of so much of it that they are more than `room`. */
static bool part_encode(const struct tokenizer *tokenizer, struct library_pieces *pieces, const char *text,
                        size_t end, size_t room, struct error *error) {
  pieces->count = 0;
  for (size_t at = 0, stop; at < end && pieces->count <= room; at = stop) {
    stop = stretch_end(text, at, end);
    if (!piece_library_encode(tokenizer->library, text + at, stop - at, at, pieces, error)) return false;
  }
  return true;
}

/* Gets the pieces of the text's beginning, more than `room` of them if the text has as many. *end is where
 * that beginning ends. */
static bool beginning_encode(const struct tokenizer *tokenizer, struct library_pieces *pieces,
                             const char *text, size_t length, size_t room, size_t *end, struct error *error) {
  for (size_t part = room * BYTES_PER_TOKEN + BYTES_LEAST;; part *= 2) {
    *end = word_end(tokenizer, text, length, part);
    if (!part_encode(tokenizer, pieces, text, *end, room, error)) return false;
    if (part >= PART_BYTES_MAX || *end == length || pieces->count > room) return true;
  }
}

/* The end of the text that the first `room` pieces stand for; there are more. */
static size_t kept_end(const struct library_pieces *pieces, size_t room, size_t end) {
  size_t word = room, next = room + 1;
  while (word > 0 && !pieces->piece[word].begins_word) word--;
  while (next < pieces->count && !pieces->piece[next].begins_word) next++;
  const size_t start = pieces->piece[word].begin, cut = pieces->piece[room].begin;
  const size_t stop = next < pieces->count ? pieces->piece[next].begin : end;
  return stop - start > TOKENIZER_WORD_BYTES ? cut : start;
}

bool library_encode(const struct tokenizer *tokenizer, struct library_pieces *pieces, const char *text,
                    int64_t length, int32_t max_tokens, int32_t *ids, int32_t *count, bool *truncated,
                    int64_t *kept, struct error *error) {
  const struct tokenizer_source *source = &tokenizer->source;
  const size_t room = (size_t)max_tokens - 2;
  size_t end, used = 0;
  if (!beginning_encode(tokenizer, pieces, text, (size_t)length, room, &end, error)) return false;
  ids[used++] = source->first;
  for (size_t i = 0; i < pieces->count && i < room; i++) {
    const int32_t index = pieces->piece[i].index;
    ids[used++] = index < 0 ? source->unknown : index + source->shift;
  }
  ids[used++] = source->last;
  *count = (int32_t)used;
  *truncated = pieces->count > room || end < (size_t)length;
  *kept = pieces->count > room ? (int64_t)kept_end(pieces, room, end) : (int64_t)end;
  return true;
}
