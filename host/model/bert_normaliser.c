#include "host/model/bert_normaliser.h"

#include "host/model/bert_characters.h"
#include "host/model/characters.h"
#include "host/model/utf8.h"

/* Characters that canonical ordering may still move: those after the last one of class 0. */
struct marks {
  uint32_t code_point[BERT_MARKS_MAX];
  unsigned char class[BERT_MARKS_MAX];
  size_t count;
};

struct writer {
  const struct bert_normaliser *normaliser;
  struct word_text *text;
  struct marks marks;
  struct error *error;
};

static bool bytes_put(struct writer *writer, uint32_t code_point) {
  struct word_text *text = writer->text;
  if (text->capacity - text->length < UTF8_BYTES_MAX &&
      !word_text_reserve(text, UTF8_BYTES_MAX, writer->error))
    return false;
  text->length += utf8_write(code_point, text->bytes + text->length);
  return true;
}

static bool lower_put(struct writer *writer, uint32_t code_point) {
  uint32_t lower[BERT_LOWER_MAX];
  if (!writer->normaliser->lowercase) return bytes_put(writer, code_point);
  const size_t count = bert_lower(code_point, lower);
  for (size_t i = 0; i < count; i++)
    if (!bytes_put(writer, lower[i])) return false;
  return true;
}

static bool marks_flush(struct writer *writer) {
  for (size_t i = 0; i < writer->marks.count; i++)
    if (!lower_put(writer, writer->marks.code_point[i])) return false;
  writer->marks.count = 0;
  return true;
}

/* Puts a mark behind those whose class is not higher. */
static bool mark_put(struct writer *writer, uint32_t code_point, unsigned class) {
  struct marks *marks = &writer->marks;
  if (marks->count == BERT_MARKS_MAX && !marks_flush(writer)) return false;
  size_t place = marks->count++;
  for (; place > 0 && marks->class[place - 1] > class; place--) {
    marks->class[place] = marks->class[place - 1];
    marks->code_point[place] = marks->code_point[place - 1];
  }
  marks->class[place] = (unsigned char)class;
  marks->code_point[place] = code_point;
  return true;
}

/* A dropped mark leaves the order of the others as it is, unless it is of class 0: then it parts them. */
static bool accents_strip(struct writer *writer, uint32_t code_point) {
  uint32_t part[BERT_PARTS_MAX];
  const size_t count = bert_decompose(code_point, part);
  for (size_t i = 0; i < count; i++) {
    const bool dropped = bert_is_mark(part[i]);
    const unsigned class = bert_combining_class(part[i]);
    if (class && dropped) continue;
    if (class) {
      if (!mark_put(writer, part[i], class)) return false;
      continue;
    }
    if (!marks_flush(writer) || (!dropped && !lower_put(writer, part[i]))) return false;
  }
  return true;
}

static bool character_put(struct writer *writer, uint32_t code_point) {
  return writer->normaliser->strip_accents ? accents_strip(writer, code_point)
                                           : lower_put(writer, code_point);
}

static bool code_point_normalise(struct writer *writer, uint32_t code_point) {
  const struct bert_normaliser *normaliser = writer->normaliser;
  if (normaliser->clean_text) {
    if (bert_is_dropped(code_point)) return true;
    if (character_is_space(code_point)) code_point = ' ';
  }
  if (!normaliser->spaced_ideographs || !bert_is_ideograph(code_point))
    return character_put(writer, code_point);
  return character_put(writer, ' ') && character_put(writer, code_point) && character_put(writer, ' ');
}

/* Printable ASCII: none of it is dropped, decomposed or moved. Returns the end of the run. */
static const char *ascii_normalise(struct writer *writer, const char *at, const char *end) {
  const bool lowercase = writer->normaliser->lowercase;
  struct word_text *text = writer->text;
  if (!word_text_reserve(text, (size_t)(end - at), writer->error)) return NULL;
  for (; at < end && *at >= ' ' && *at < 0x7f; at++)
    text->bytes[text->length++] = (char)(lowercase && *at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
  return at;
}

bool bert_normalise(const struct bert_normaliser *normaliser, const char *bytes, size_t length,
                    struct word_text *text, struct error *error) {
  struct writer writer;
  const char *const end = bytes + length;
  writer.normaliser = normaliser;
  writer.text = text;
  writer.marks.count = 0;
  writer.error = error;
  text->length = 0;
  for (const char *at = bytes; at < end;) {
    if (*at >= ' ' && *at < 0x7f) {
      if (!marks_flush(&writer)) return false;
      at = ascii_normalise(&writer, at, end);
      if (!at) return false;
      continue;
    }
    size_t size;
    const uint32_t code_point = utf8_read(at, end, &size);
    if (!code_point_normalise(&writer, code_point)) return false;
    at += size;
  }
  return marks_flush(&writer);
}

enum token_class { TOKEN_LETTER, TOKEN_SPACE, TOKEN_PUNCTUATION };

static enum token_class class_at(const char *at, const char *end, size_t *size) {
  const unsigned char first = (unsigned char)*at;
  *size = 1;
  if (first < 0x80)
    return is_ascii_punctuation(first) ? TOKEN_PUNCTUATION
           : character_is_space(first) ? TOKEN_SPACE
                                       : TOKEN_LETTER;
  const uint32_t code_point = utf8_read(at, end, size);
  return bert_is_punctuation(code_point)  ? TOKEN_PUNCTUATION
         : character_is_space(code_point) ? TOKEN_SPACE
                                          : TOKEN_LETTER;
}

bool bert_token_next(const char **at, const char *end, const char **token, size_t *length) {
  const char *next = *at;
  size_t size = 0;
  enum token_class class = TOKEN_SPACE;
  while (next < end && (class = class_at(next, end, &size)) == TOKEN_SPACE) next += size;
  if (next >= end) return false;
  *token = next;
  do next += size;
  while (class == TOKEN_LETTER && next < end && class_at(next, end, &size) == TOKEN_LETTER);
  *length = (size_t)(next - *token);
  *at = next;
  return true;
}

bool bert_has_space(const char *bytes, size_t length) {
  size_t size;
  for (const char *at = bytes, *const end = bytes + length; at < end; at += size)
    if (character_is_space(utf8_read(at, end, &size))) return true;
  return false;
}
