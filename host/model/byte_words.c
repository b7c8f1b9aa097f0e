#include "host/model/byte_words.h"

#include <string.h>

#include "host/model/characters.h"
#include "host/model/utf8.h"

enum kind { KIND_LETTER, KIND_NUMBER, KIND_SPACE, KIND_OTHER };

static enum kind kind_of_ascii(unsigned char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return KIND_LETTER;
  if (c >= '0' && c <= '9') return KIND_NUMBER;
  return character_is_space(c) ? KIND_SPACE : KIND_OTHER;
}

static enum kind kind_at(const char *at, const char *end, size_t *size) {
  const uint32_t code_point = utf8_read(at, end, size);
  if (code_point < 0x80) return kind_of_ascii((unsigned char)code_point);
  if (character_is_letter(code_point)) return KIND_LETTER;
  if (character_is_number(code_point)) return KIND_NUMBER;
  return character_is_space(code_point) ? KIND_SPACE : KIND_OTHER;
}

struct word_reader byte_words(const char *text, const char *end, bool prefix, bool whole) {
  return (struct word_reader){
      .at = text, .end = end, .spaced = prefix && text < end && *text != ' ', .whole = whole};
}

/* The end of the characters of one kind from `at`, at most at `limit`; *last is the start of the last one. */
static const char *run_end(const char *at, const char *limit, const char *end, enum kind kind,
                           const char **last) {
  size_t size;
  for (*last = at; at < limit && kind_at(at, end, &size) == kind && size <= (size_t)(limit - at); at += size)
    *last = at;
  return at;
}

/* The size of 's, 't, 're, 've, 'm, 'll or 'd at `at`, or 0. */
static size_t contraction_size(const char *at, const char *end) {
  const size_t left = (size_t)(end - at);
  if (left < 2 || *at != '\'') return 0;
  if (strchr("stmd", at[1]) && at[1]) return 2;
  const bool two =
      left > 2 && ((at[2] == 'e' && (at[1] == 'r' || at[1] == 'v')) || (at[1] == 'l' && at[2] == 'l'));
  return two ? 3 : 0;
}

/* The end of a word of white space. If another word follows, its last character does not belong to it, unless
 * it is the only one; `spaced`: there is one more character, before the text. */
static const char *spaces_end(const char *at, const char *limit, const char *end, bool spaced) {
  const char *last, *const stop = run_end(at, limit, end, KIND_SPACE, &last);
  const bool is_followed = stop < limit;
  const bool is_alone = last == at && !spaced;
  return is_followed && !is_alone ? last : stop;
}

/* The end of the next word by the pattern; *blank: the word is white space. */
static const char *word_end(const struct word_reader *reader, const char *limit, bool *blank) {
  const char *const at = reader->at, *const end = reader->end, *last;
  const char *const body = at + (!reader->spaced && *at == ' ');
  const size_t contraction = reader->spaced ? 0 : contraction_size(at, end);
  if (contraction) return at + contraction;
  size_t size;
  const enum kind kind = body < end ? kind_at(body, end, &size) : KIND_SPACE;
  *blank = kind == KIND_SPACE;
  return *blank ? spaces_end(at, limit, end, reader->spaced) : run_end(body, limit, end, kind, &last);
}

bool byte_word_next(struct word_reader *reader, struct word *word) {
  const char *const at = reader->at, *const end = reader->end;
  if (at == end) return false;
  const char *const limit = end - at > WORD_BYTES_MAX ? at + WORD_BYTES_MAX : end, *stop = limit;
  *word = (struct word){.bytes = at, .spaced = reader->spaced};
  if (!reader->whole)
    stop = word_end(reader, limit, &word->blank);
  else if (stop < end)
    stop = at + utf8_start(at, 1, WORD_BYTES_MAX);
  word->length = (size_t)(stop - at);
  reader->at = stop;
  reader->spaced = false;
  return true;
}
