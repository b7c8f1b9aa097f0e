#include "host/model/chunk.h"

#include <stdlib.h>
#include <string.h>

#include "host/model/border.h"
#include "host/model/utf8.h"
#include "io/text.h"

/* Bytes of text to look at for each token, at first: most texts have fewer bytes a token. */
#define WINDOW_BYTES_A_TOKEN 8

/* Bytes that a window has behind the text that fits, unless it has the rest of the text: if the window's end
 * cuts a word, this must not make the word's tokens more. (WordPiece takes a word of more than 100 characters
 * for one unknown token.) */
#define WINDOW_BYTES_MORE 1024

/* Places at which an overlap may begin, before the chunk does without. */
#define OVERLAP_TRIES 8

#define INPUT_KEEP ((size_t)1 << 20)

struct chunker {
  struct token_encoder *encoder;
  struct chunk_limits limits;
  struct chunk_text text;

  struct text input;     /* prefix (prompt, title, a space), then the window's text */
  int64_t prefix;        /* bytes of the prefix */
  int32_t prefix_tokens; /* with the special tokens */
  int32_t room;          /* tokens left for text */

  /* The window: a piece of the text, and what is encoded of it. */
  const char *window; /* the text's piece in `input`, or in the text itself if there is no prefix */
  int64_t start;      /* place of the piece in the text */
  int64_t size;       /* of the piece */

  struct text_chunk last; /* all zero before the first chunk */
  bool begun;
};

struct chunker *chunker_open(struct token_encoder *encoder, const struct chunk_limits *limits,
                             struct error *error) {
  struct chunker *chunker = calloc(1, sizeof *chunker);
  if (!chunker) {
    error_set_memory(error, sizeof *chunker, "a chunker");
    return NULL;
  }
  chunker->encoder = encoder;
  chunker->limits = *limits;
  return chunker;
}

void chunker_close(struct chunker *chunker) {
  if (!chunker) return;
  text_free(&chunker->input);
  free(chunker);
}

/* What encoding gave. */
struct fit {
  int32_t tokens;
  bool truncated;
  int64_t kept; /* bytes of text that the ids stand for, up to a whole word (token_encoder_kept) */
};

/* Encodes the prefix and the first `size` bytes of the window, up to so many tokens. */
static bool window_encode(struct chunker *chunker, int64_t size, int32_t tokens, int32_t *ids,
                          struct fit *fit, struct error *error) {
  if (!token_encoder_encode(chunker->encoder, chunker->window - chunker->prefix, chunker->prefix + size,
                            tokens, ids, &fit->tokens, &fit->truncated, error))
    return false;
  fit->kept = token_encoder_kept(chunker->encoder) - chunker->prefix;
  if (fit->kept < 0) fit->kept = 0;
  return true;
}

/* The window is now the text from `start`, with so many bytes. */
static bool window_take(struct chunker *chunker, int64_t start, int64_t size, struct error *error) {
  const char *bytes = chunker->text.bytes + start;
  chunker->start = start;
  chunker->size = size;
  chunker->window = bytes;
  if (!chunker->prefix) return true;
  chunker->input.size = (size_t)chunker->prefix;
  text_append(&chunker->input, bytes, (size_t)size);
  chunker->window = chunker->input.bytes + chunker->prefix;
  return !chunker->input.failed || error_set_memory(error, (size_t)(chunker->prefix + size), "a chunk");
}

/* The character border at `at`, or before. */
static int64_t character_before(const char *text, int64_t length, int64_t at) {
  return at < length ? (int64_t)utf8_start(text, 0, (size_t)at) : length;
}

static int64_t character_after(const char *text, int64_t length, int64_t at) {
  while (at < length && (text[at] & 0xc0) == 0x80) at++;
  return at < length ? at : length;
}

/* Fills the window from `start` with as many bytes as it takes to have too many tokens, or with the rest. */
static bool window_fill(struct chunker *chunker, int64_t start, int32_t *ids, struct fit *fit,
                        struct error *error) {
  const char *text = chunker->text.bytes + start;
  const int64_t rest = chunker->text.length - start;
  for (int64_t size = (int64_t)chunker->limits.tokens * WINDOW_BYTES_A_TOKEN + WINDOW_BYTES_MORE;;
       size *= 2) {
    if (!window_take(chunker, start, character_before(text, rest, size), error) ||
        !window_encode(chunker, chunker->size, chunker->limits.tokens, ids, fit, error))
      return false;
    const bool enough = fit->truncated && chunker->size - fit->kept >= WINDOW_BYTES_MORE;
    if (enough || chunker->size == rest) return true;
  }
}

/* A stretch of the text in which borders are searched, from a whole word's end to a whole word's end. White
 * space that begins in the stretch, or at its end, belongs to it. */
struct stretch {
  int64_t from, to;
  bool has_first; /* the white space at `from` belongs to it, too */
};

/* Of borders whose white space does not begin after the stretch. */
static bool stretch_has(const struct stretch *stretch, const struct border *border) {
  return border->from > stretch->from || border->at > stretch->to ||
         (stretch->has_first && border->at >= stretch->from);
}

/* The last border of the best kind that stands at `most` or before; or else the last border between clusters
 * up to the stretch's end. */
static int64_t border_last(const char *text, int64_t length, const struct stretch *stretch, int64_t most) {
  const int64_t to = stretch->to;
  struct border_reader reader = {.text = text, .length = length, .last = to};
  struct border border, best = {0};
  while (border_next(&reader, &border))
    if (stretch_has(stretch, &border) && border.at <= most && border.kind >= best.kind) best = border;
  if (best.kind) return best.at;
  return cluster_border_before(text, to + UTF8_BYTES_MAX < length ? to + UTF8_BYTES_MAX : length, to);
}

/* The border, between clusters or between characters, that halves a stretch of text; `to` if there is
 * none. */
static int64_t border_between(const char *text, int64_t from, int64_t to, bool clusters) {
  const int64_t middle = from + (to - from) / 2;
  const int64_t before =
      clusters ? cluster_border_before(text, to, middle) : character_before(text, to, middle);
  if (before > from) return before;
  return clusters ? cluster_border_after(text, to, from + 1) : character_after(text, to, from + 1);
}

/* Not even one word fits: finds the most clusters that fit, or else the most characters. */
static bool cut_word(struct chunker *chunker, int32_t *ids, int64_t *end, struct error *error) {
  struct fit fit;
  *end = 0;
  for (int clusters = 1; clusters >= 0 && *end == 0; clusters--) {
    int64_t beyond = chunker->size, middle;
    while ((middle = border_between(chunker->window, *end, beyond, clusters)) < beyond) {
      if (!window_encode(chunker, middle, chunker->limits.tokens, ids, &fit, error)) return false;
      if (fit.truncated)
        beyond = middle;
      else
        *end = middle;
    }
  }
  if (*end == 0) *end = character_after(chunker->window, chunker->size, 1);
  return true;
}

/* Encodes the window's text up to `end`, which may lie behind the window. */
static bool end_encode(struct chunker *chunker, int64_t end, int32_t *ids, struct fit *fit,
                       struct error *error) {
  return (end <= chunker->size || window_take(chunker, chunker->start, end, error)) &&
         window_encode(chunker, end, chunker->limits.tokens, ids, fit, error);
}

/* Finds the last third of the tokens that are left for text: at least two thirds stand before it. */
static bool third_find(struct chunker *chunker, int64_t kept, int32_t *ids, struct stretch *third,
                       struct error *error) {
  const int32_t tokens = chunker->limits.tokens - chunker->room / 3;
  struct fit before, word;
  if (!window_encode(chunker, chunker->size, tokens, ids, &before, error) ||
      !window_encode(chunker, before.kept, tokens, ids, &word, error))
    return false;
  *third = (struct stretch){before.kept, kept, word.tokens == tokens};
  return true;
}

/* Finds the end of a chunk in the window, of which `kept` bytes fit; fills *fit for it. If there is no
 * border, fit->truncated is set (byte BPE has words that end inside a cluster). A border before that place
 * always fits if tokens do not depend on what follows them. Byte BPE takes white space for tokens, and there
 * the white space at the border may be too much. */
static bool cut_at_border(struct chunker *chunker, int64_t kept, int32_t *ids, int64_t *end, struct fit *fit,
                          struct error *error) {
  const char *text = chunker->text.bytes + chunker->start;
  const int64_t rest = chunker->text.length - chunker->start;
  struct stretch third;
  if (!third_find(chunker, kept, ids, &third, error)) return false;
  for (int i = 0; i < 2; i++) {
    *end = border_last(text, rest, &third, i == 0 ? INT64_MAX : kept);
    if (*end == 0) {
      fit->truncated = true;
      return true;
    }
    if (!end_encode(chunker, *end, ids, fit, error)) return false;
    if (!fit->truncated) return true;
  }
  *end = kept;
  return end_encode(chunker, kept, ids, fit, error);
}

static bool chunk_cut(struct chunker *chunker, int64_t start, int32_t *ids, struct text_chunk *chunk,
                      struct error *error) {
  struct fit fit;
  if (!window_fill(chunker, start, ids, &fit, error)) return false;
  int64_t end = chunker->size;
  if (fit.truncated && fit.kept > 0 && !cut_at_border(chunker, fit.kept, ids, &end, &fit, error))
    return false;
  if (fit.truncated && (!cut_word(chunker, ids, &end, error) || !end_encode(chunker, end, ids, &fit, error)))
    return false;
  *chunk = (struct text_chunk){
      .start = start, .end = start + end, .tokens = fit.tokens, .truncated = fit.truncated};
  return true;
}

/* The first border of the best kind in the stretch, or else the first border after it. Only if there is none,
 * and *clusters is set: the first border between clusters. 0: none. */
static int64_t border_first(const char *text, int64_t length, const struct stretch *stretch, bool *clusters) {
  struct border_reader reader = {.text = text, .length = length, .last = length};
  struct border border, best = {0};
  while (border_next(&reader, &border) && (border.from <= stretch->to || !best.kind))
    if (border.at > stretch->from && border.kind > best.kind) best = border;
  if (best.kind) *clusters = false;
  if (best.kind || !*clusters) return best.at;
  return cluster_border_after(text, length, stretch->from + 1);
}

/* The most tokens of the last chunk that the next one may begin with. The limits leave
 * the next chunk room for new tokens, so that the work stays in proportion to the text. */
static int32_t overlap_most(const struct chunker *chunker) {
  const int32_t own = chunker->last.tokens - chunker->prefix_tokens;
  int32_t most = chunker->limits.overlap;
  if (most > chunker->room / 2) most = chunker->room / 2;
  if (most > own - own / 4) most = own - own / 4;
  return most;
}

/* Finds where the next chunk begins. The window still begins where the last chunk does. */
static bool overlap_find(struct chunker *chunker, int32_t *ids, int64_t *start, struct error *error) {
  const struct text_chunk *last = &chunker->last;
  const char *text = chunker->text.bytes + last->start;
  const int64_t size = last->end - last->start;
  const int32_t most = overlap_most(chunker);
  struct stretch third;
  struct fit from, to;
  bool clusters = true;
  *start = last->end;
  if (most < 1) return true;
  if (!window_encode(chunker, size, last->tokens - most, ids, &from, error) ||
      !window_encode(chunker, size, last->tokens - most + most / 3, ids, &to, error))
    return false;
  third = (struct stretch){.from = from.kept > 0 ? from.kept - 1 : 0, .to = to.kept};
  for (int i = 0; i < OVERLAP_TRIES; i++) {
    const int64_t at = border_first(text, size, &third, &clusters);
    if (at == 0 || at == size) return true;
    int32_t tokens;
    bool truncated;
    if (!token_encoder_encode(chunker->encoder, text + at, size - at, most + 2, ids, &tokens, &truncated,
                              error))
      return false;
    if (!truncated) {
      *start = last->start + at;
      return true;
    }
    third.from = at; /* too many tokens: try the next one */
  }
  return true;
}

bool chunker_next(struct chunker *chunker, int32_t *ids, struct text_chunk *chunk, struct error *error) {
  const struct text_chunk *last = &chunker->last;
  const char *text = chunker->text.bytes;
  int64_t start = 0;
  if (chunker->begun && !overlap_find(chunker, ids, &start, error)) return false;
  if (!chunk_cut(chunker, start, ids, chunk, error)) return false;
  /* A chunk that gains nothing by its overlap does without. */
  if (start < last->end && chunk->end <= last->end && !chunk_cut(chunker, last->end, ids, chunk, error))
    return false;
  chunk->start_character =
      last->start_character + text_characters(text + last->start, chunk->start - last->start);
  chunk->end_character =
      chunk->start_character + text_characters(text + chunk->start, chunk->end - chunk->start);
  chunker->last = *chunk;
  chunker->begun = true;
  return true;
}

bool chunker_done(const struct chunker *chunker) {
  return chunker->begun && chunker->last.end == chunker->text.length;
}

/* Appends the title, or as much of it as half of the tokens has room for. */
static bool title_append(struct chunker *chunker, int32_t *ids, struct error *error) {
  const struct chunk_text *text = &chunker->text;
  struct text *input = &chunker->input;
  const size_t prompt = input->size;
  int32_t tokens;
  bool truncated;
  if (text->title_length == 0) return true;
  text_append(input, text->title, (size_t)text->title_length);
  if (input->failed) return error_set_memory(error, (size_t)text->title_length, "a title");
  if (!token_encoder_encode(chunker->encoder, input->bytes, (int64_t)input->size, chunker->limits.tokens / 2,
                            ids, &tokens, &truncated, error))
    return false;
  const size_t kept = (size_t)token_encoder_kept(chunker->encoder);
  if (truncated) input->size = kept > prompt ? kept : prompt;
  chunker->text.title_length = (int64_t)(input->size - prompt);
  if (input->size > prompt) text_append_string(input, " ");
  return true;
}

bool chunker_begin(struct chunker *chunker, const struct chunk_text *text, struct error *error) {
  struct text *input = &chunker->input;
  bool truncated, done = false;
  int32_t *ids = malloc((size_t)chunker->limits.tokens * sizeof *ids);
  if (!ids) return error_set_memory(error, (size_t)chunker->limits.tokens * sizeof *ids, "token ids");
  chunker->text = *text;
  chunker->last = (struct text_chunk){0};
  chunker->begun = false;
  text_clear(input, INPUT_KEEP);
  text_append_string(input, text->prompt);
  if (!title_append(chunker, ids, error)) goto out;
  if (input->failed) {
    error_set_memory(error, input->size, "a prompt");
    goto out;
  }
  chunker->prefix = (int64_t)input->size;
  done = token_encoder_encode(chunker->encoder, input->bytes ? input->bytes : "", chunker->prefix,
                              chunker->limits.tokens, ids, &chunker->prefix_tokens, &truncated, error);
  chunker->room = chunker->limits.tokens - chunker->prefix_tokens;
out:
  free(ids);
  return done;
}

int64_t chunker_title(const struct chunker *chunker) {
  return chunker->text.title_length;
}
