#include "host/model/border.h"

#include "host/model/characters.h"
#include "host/model/utf8.h"

#define LINE_SEPARATOR 0x2028
#define PARAGRAPH_SEPARATOR 0x2029
#define NEXT_LINE 0x85
#define ELLIPSIS 0x2026

static uint32_t character_at(const char *text, int64_t length, int64_t at, int64_t *size) {
  size_t bytes;
  const uint32_t character = utf8_read(text + at, text + length, &bytes);
  *size = (int64_t)bytes;
  return character;
}

static bool character_ends_sentence(uint32_t character) {
  return character == '.' || character == '!' || character == '?' || character == ELLIPSIS;
}

/* LF, VT, FF, CR and their kin. */
static bool character_breaks_line(uint32_t character) {
  return (character >= '\n' && character <= '\r') || character == NEXT_LINE || character == LINE_SEPARATOR ||
         character == PARAGRAPH_SEPARATOR;
}

/* What a run of white space holds. */
struct space_run {
  int32_t breaks; /* line breaks; CR LF is one */
  bool paragraph; /* a paragraph separator */
};

/* Passes a run of white space; `at` stands on its first character. Returns its end. */
static int64_t spaces_pass(const char *text, int64_t length, int64_t at, struct space_run *spaces) {
  int64_t size;
  uint32_t last = 0;
  *spaces = (struct space_run){0};
  for (; at < length; at += size) {
    const uint32_t character = character_at(text, length, at, &size);
    if (!character_is_space(character)) break;
    const bool counted = character == '\n' && last == '\r';
    if (character_breaks_line(character) && !counted && spaces->breaks < 2) spaces->breaks++;
    spaces->paragraph |= character == PARAGRAPH_SEPARATOR;
    last = character;
  }
  return at;
}

static enum border_kind spaces_kind(const struct space_run *spaces, bool ends_sentence) {
  if (spaces->paragraph || spaces->breaks > 1) return BORDER_PARAGRAPH;
  if (spaces->breaks > 0) return BORDER_LINE;
  return ends_sentence ? BORDER_SENTENCE : BORDER_SPACE;
}

bool border_next(struct border_reader *reader, struct border *border) {
  int64_t size;
  while (reader->at < reader->length && reader->at <= reader->last) {
    const uint32_t character = character_at(reader->text, reader->length, reader->at, &size);
    if (!character_is_space(character)) {
      reader->ends_sentence =
          character_ends_sentence(character) || (reader->ends_sentence && character_closes(character));
      reader->at += size;
      continue;
    }
    struct space_run spaces;
    int32_t state = 0;
    const bool ends_sentence = reader->ends_sentence;
    border->from = reader->at;
    reader->at = spaces_pass(reader->text, reader->length, reader->at, &spaces);
    reader->ends_sentence = false;
    if (reader->at == reader->length) return false;
    /* A mark joins no line break, but a tokenizer may take the break for a space. */
    if (characters_join(' ', character_at(reader->text, reader->length, reader->at, &size), &state)) continue;
    border->kind = spaces_kind(&spaces, ends_sentence);
    border->at = reader->at;
    return true;
  }
  return false;
}

/* The end of the cluster that begins at `at`. */
static int64_t cluster_end(const char *text, int64_t length, int64_t at) {
  int64_t size;
  int32_t state = 0;
  uint32_t before = character_at(text, length, at, &size);
  for (at += size; at < length; at += size) {
    const uint32_t after = character_at(text, length, at, &size);
    if (!characters_join(before, after, &state)) break;
    before = after;
  }
  return at;
}

int64_t cluster_border_before(const char *text, int64_t length, int64_t at) {
  int64_t border = 0;
  for (int64_t next = 0; next < length; border = next) {
    next = cluster_end(text, length, next);
    if (next > at) break;
  }
  return border;
}

int64_t cluster_border_after(const char *text, int64_t length, int64_t at) {
  int64_t border = 0;
  while (border < at && border < length) border = cluster_end(text, length, border);
  return border;
}
