/* WordPiece: each word is normalised, cut at punctuation, and each token is cut into pieces. */
#include "host/model/bert_characters.h"
#include "host/model/tokenizer_kind.h"
#include "host/model/utf8.h"
#include "host/model/wordpiece.h"

/* A longer word without white space is normalised in stretches of about this many bytes. */
#define STRETCH_BYTES 512

static int32_t find(const struct tokenizer_source *source, const char *piece, size_t length) {
  return wordpiece_find(source->wordpiece, piece, length);
}

static bool is_border(const void *context, uint32_t code_point) {
  const struct bert_normaliser *normaliser = context;
  return character_is_space(code_point) && !(normaliser->clean_text && bert_is_dropped(code_point));
}

static bool prepare(struct tokenizer *tokenizer, struct error *error) {
  (void)error;
  character_set_fill_spaces(&tokenizer->characters, is_border, &tokenizer->source.wordpiece->normal);
  return true;
}

static struct word_reader words(const struct tokenizer *tokenizer, const char *text, const char *end) {
  return (struct word_reader){.characters = &tokenizer->characters, .at = text, .end = end};
}

static bool token_form(const struct tokenizer *tokenizer, const char *content, size_t length,
                       struct word_text *form, bool *one_word, struct error *error) {
  if (!bert_normalise(&tokenizer->source.wordpiece->normal, content, length, form, error)) return false;
  *one_word = form->length > 0 && !bert_has_space(form->bytes, form->length);
  return true;
}

static bool tokens_encode(const struct wordpiece *wordpiece, const char *text, const char *end,
                          struct id_list *ids, struct error *error) {
  const char *token;
  size_t length;
  while (bert_token_next(&text, end, &token, &length))
    if (!wordpiece_encode(wordpiece, token, length, ids, error)) return false;
  return true;
}

static bool stretch_encode(const struct tokenizer *tokenizer, struct word_scratch *scratch, const char *bytes,
                           size_t length, struct error *error) {
  const struct wordpiece *wordpiece = tokenizer->source.wordpiece;
  struct word_text *text = &scratch->text;
  if (!bert_normalise(&wordpiece->normal, bytes, length, text, error)) return false;
  if (!text->length) return true;
  struct added_search search = {.set = &tokenizer->normalised, .text = text->bytes, .length = text->length};
  struct added_match match;
  const char *at = text->bytes;
  while (added_search_next(&search, &match)) {
    if (!tokens_encode(wordpiece, at, text->bytes + match.start, &scratch->ids, error) ||
        !id_list_put(&scratch->ids, match.id, error))
      return false;
    at = text->bytes + match.stop;
  }
  return tokens_encode(wordpiece, at, text->bytes + text->length, &scratch->ids, error);
}

/* The end of a stretch: after a character that is a token by itself, so that both sides have the ids that
 * they have together. Such a border may lie inside an added token. */
static const char *stretch_end(const struct tokenizer *tokenizer, const char *at, const char *end) {
  const struct bert_normaliser *normaliser = &tokenizer->source.wordpiece->normal;
  const char *const start = at;
  if (tokenizer->normalised.count) return end;
  for (size_t size; end - start > STRETCH_BYTES && at < end;) {
    const uint32_t code_point = utf8_read(at, end, &size);
    at += size;
    if (at - start < STRETCH_BYTES) continue;
    if (code_point < 0x80 ? is_ascii_punctuation((unsigned char)code_point)
                          : normaliser->spaced_ideographs && bert_is_ideograph(code_point))
      return at;
  }
  return end;
}

static bool word_encode(const struct tokenizer *tokenizer, struct word_scratch *scratch,
                        const struct word *word, size_t enough, struct error *error) {
  const char *const end = word->bytes + word->length;
  for (const char *at = word->bytes, *next; at < end && scratch->ids.count <= enough; at = next) {
    next = stretch_end(tokenizer, at, end);
    if (!stretch_encode(tokenizer, scratch, at, (size_t)(next - at), error)) return false;
  }
  return true;
}

static void source_free(struct tokenizer_source *source) {
  wordpiece_close(source->wordpiece);
}

const struct tokenizer_kind tokenizer_wordpiece = {
    .name = "WordPiece",
    .find = find,
    .prepare = prepare,
    .words = words,
    .word_next = word_next,
    .token_form = token_form,
    .word_encode = word_encode,
    .free = source_free,
};
