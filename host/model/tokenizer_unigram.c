/* Unigram: each word gets a mark, is normalised by the map, and is segmented into pieces. */
#include <stdlib.h>
#include <string.h>

#include "host/model/characters.h"
#include "host/model/tokenizer_kind.h"
#include "host/model/utf8.h"

static int32_t find(const struct tokenizer_source *source, const char *piece, size_t length) {
  return unigram_find(source->unigram, piece, length);
}

static bool prepare(struct tokenizer *tokenizer, struct error *error) {
  const struct tokenizer_source *source = &tokenizer->source;
  if (!charsmap_open(source->charsmap, source->charsmap_size, &tokenizer->map, error)) return false;
  character_set_fill(&tokenizer->characters, &tokenizer->map, source->only_spaces);
  return true;
}

/* True if the map deletes the character. */
static bool is_deleted(const struct charsmap *map, const char *at, size_t size) {
  const char *replacement;
  size_t length;
  return charsmap_match(map, at, size, &replacement, &length) == size && !length;
}

/* Strip comes after the map, and cuts off white space of all kinds: here what the map leaves of it, as
 * U+0085, with the characters beside it that the map deletes. */
static const char *spaces_strip_right(const struct charsmap *map, const char *text, const char *end) {
  const char *at = end;
  for (size_t size; at > text; at -= size) {
    const bool space = character_is_space(utf8_read_before(text, (size_t)(at - text), &size));
    if (!space && !is_deleted(map, at - size, size)) break;
    if (space) end = at - size;
  }
  return end;
}

static const char *spaces_strip_left(const struct charsmap *map, const char *text, const char *end) {
  const char *at = text;
  for (size_t size, next_size; at < end; at += size) {
    const uint32_t character = utf8_read(at, end, &size);
    const bool space = character_is_space(character);
    if (!space && !is_deleted(map, at, size)) break;
    if (!space) continue;
    const uint32_t next = at + size < end ? utf8_read(at + size, end, &next_size) : ' ';
    int32_t state = 0;
    if (!character_is_space(next) && characters_join(character, next, &state)) break;
    text = at + size;
  }
  return text;
}

/* If all white space ends words, there is nothing to strip, and no space beside a mark counts. */
static struct word_reader words(const struct tokenizer *tokenizer, const char *text, const char *end) {
  const struct tokenizer_source *source = &tokenizer->source;
  if (source->only_spaces) end = spaces_strip_right(&tokenizer->map, text, end);
  if (source->only_spaces && source->strips_left) text = spaces_strip_left(&tokenizer->map, text, end);
  return (struct word_reader){
      .characters = &tokenizer->characters, .at = text, .end = end, .marks = source->only_spaces};
}

/* The normalised form is one word without its mark. A mark in the token itself is none that a word gets. */
static bool token_form(const struct tokenizer *tokenizer, const char *content, size_t length,
                       struct word_text *form, bool *one_word, struct error *error) {
  struct word_reader reader = words(tokenizer, content, content + length);
  struct word word;
  form->length = 0;
  *one_word = false;
  if (memmem(content, length, WORD_MARK, WORD_MARK_BYTES) || !word_next(&reader, &word)) return true;
  if (!word_normalise(&tokenizer->map, &tokenizer->characters, &word, form, error)) return false;
  *one_word = word.length == length && form->length > WORD_MARK_BYTES &&
              memcmp(form->bytes, WORD_MARK, WORD_MARK_BYTES) == 0 &&
              word_part(form->bytes, form->length) == form->length;
  if (!*one_word) return true;
  form->length -= WORD_MARK_BYTES;
  memmove(form->bytes, form->bytes + WORD_MARK_BYTES, form->length);
  return true;
}

/* Appends a normalised stretch's ids; the stretch begins with a mark. */
static bool stretch_encode(const struct tokenizer *tokenizer, struct word_scratch *scratch, const char *text,
                           size_t length, struct error *error) {
  for (size_t at = 0; at < length;) {
    const size_t part = word_part(text + at, length - at);
    if (!unigram_encode(tokenizer->source.unigram, &scratch->lattice, text + at, part, &scratch->ids, error))
      return false;
    at += part;
  }
  return true;
}

/* The same for a stretch without a mark; the stretch may be empty. */
static bool unmarked_encode(const struct tokenizer *tokenizer, struct word_scratch *scratch, const char *text,
                            size_t length, struct error *error) {
  struct word_text *stretch = &scratch->stretch;
  if (!length) return true;
  return word_text_mark(stretch, text, length, error) &&
         stretch_encode(tokenizer, scratch, stretch->bytes, stretch->length, error);
}

/* Cuts the added tokens out of one part of a normalised word. The text between them gets a mark, like a
 * word. */
static bool part_encode(const struct tokenizer *tokenizer, struct word_scratch *scratch, const char *part,
                        size_t length, struct error *error) {
  const char *text = part + WORD_MARK_BYTES;
  struct added_search search = {
      .set = &tokenizer->normalised, .text = text, .length = length - WORD_MARK_BYTES};
  struct added_match match;
  size_t at = 0;
  while (added_search_next(&search, &match)) {
    if (match.start > at && !unmarked_encode(tokenizer, scratch, text + at, match.start - at, error))
      return false;
    if (!id_list_put(&scratch->ids, match.id, error)) return false;
    at = match.stop;
  }
  if (!at) return stretch_encode(tokenizer, scratch, part, length, error);
  return unmarked_encode(tokenizer, scratch, text + at, search.length - at, error);
}

/* A word is always segmented as a whole. */
static bool word_encode(const struct tokenizer *tokenizer, struct word_scratch *scratch,
                        const struct word *word, size_t enough, struct error *error) {
  (void)enough;
  struct word_text *text = &scratch->text;
  if (!word_normalise(&tokenizer->map, &tokenizer->characters, word, text, error)) return false;
  if (!tokenizer->normalised.count)
    return stretch_encode(tokenizer, scratch, text->bytes, text->length, error);
  for (size_t at = 0; at < text->length;) {
    const size_t part = word_part(text->bytes + at, text->length - at);
    if (!part_encode(tokenizer, scratch, text->bytes + at, part, error)) return false;
    at += part;
  }
  return true;
}

static void source_free(struct tokenizer_source *source) {
  unigram_close(source->unigram);
  free(source->charsmap);
}

const struct tokenizer_kind tokenizer_unigram = {
    .name = "Unigram",
    .find = find,
    .prepare = prepare,
    .words = words,
    .word_next = word_next,
    .token_form = token_form,
    .word_encode = word_encode,
    .free = source_free,
};
