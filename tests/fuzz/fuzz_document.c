/* Fuzzes document_parse and compares it with jansson, which reads the same grammar but builds every value.
 * Only NaN and the infinities differ: jansson gets a true in their place.
 *
 * The input's first byte picks the fields; the rest is the line. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/document.h"
#include "tests/fuzz/harness.h"

static const struct document_fields choices[] = {
    {.text = "text"},
    {.text = "text", .id = "id", .title = "title"},
    {.text = "text", .id = "id", .title = "id"},
    {.text = "t\xc3\xa0/", .id = "", .title = "text"},
};

/* What jansson refuses but RFC 8259 allows: numbers too large for C, depth, a NUL in a key, lone
 * surrogates. */
static bool is_limit_of_jansson(const json_error_t *error) {
  switch (json_error_code(error)) {
    case json_error_numeric_overflow:
    case json_error_stack_overflow:
    case json_error_null_byte_in_key:
      return true;
    default:
      return strstr(error->text, "invalid Unicode") != NULL;
  }
}

static void check_string(struct span span, const json_t *value) {
  REQUIRE(span.bytes && (size_t)span.length == json_string_length(value));
  REQUIRE(memcmp(span.bytes, json_string_value(value), (size_t)span.length) == 0);
}

/* Checks the result for an object, and the fields if the object is accepted. */
static void check_object(const struct document_fields *fields, json_t *object, enum document_result result,
                         const struct document *document) {
  const json_t *text = json_object_get(object, fields->text);
  const json_t *title = fields->title ? json_object_get(object, fields->title) : NULL;
  const json_t *id = fields->id ? json_object_get(object, fields->id) : NULL;
  const bool good = json_is_string(text) && (!title || json_is_null(title) || json_is_string(title)) &&
                    (!fields->id || json_is_string(id) || json_is_integer(id));
  REQUIRE(result == (good ? DOCUMENT_READ : DOCUMENT_REJECTED));
  if (!good) return;
  check_string(document->text, text);
  if (json_is_string(title)) check_string(document->title, title);
  if (!json_is_string(title)) REQUIRE(!document->title.bytes);
  REQUIRE(document->id_is_integer == (id && json_is_integer(id)));
  if (json_is_string(id)) check_string(document->id, id);
  if (json_is_integer(id)) {
    char digits[32] = "";
    REQUIRE(document->id.length > 0 && document->id.length < 32);
    memcpy(digits, document->id.bytes, (size_t)document->id.length);
    REQUIRE(strtoll(digits, NULL, 10) == json_integer_value(id));
  }
  if (!id) REQUIRE(!document->id.bytes);
}

/* Returns the line with each NaN and infinity outside strings replaced by a value that is neither a string
 * nor an integer. *length becomes the copy's length; the caller frees the copy. */
static char *replace_not_finite(const char *line, size_t *length) {
  static const char *const words[] = {"-Infinity", "Infinity", "NaN"};
  static const char value[] = " true ";
  char *copy = malloc(2 * *length + 1), *to = copy;
  REQUIRE(copy);
  bool in_string = false;
  for (size_t at = 0; at < *length;) {
    size_t word = 0;
    for (size_t i = 0; i < 3 && !in_string && !word; i++)
      if (*length - at >= strlen(words[i]) && memcmp(line + at, words[i], strlen(words[i])) == 0)
        word = strlen(words[i]);
    if (word) {
      memcpy(to, value, sizeof value - 1);
      to += sizeof value - 1;
      at += word;
      continue;
    }
    if (in_string && line[at] == '\\' && at + 1 < *length)
      *to++ = line[at++];
    else if (line[at] == '"')
      in_string = !in_string;
    *to++ = line[at++];
  }
  *length = (size_t)(to - copy);
  return copy;
}

static void check_against_jansson(const struct document_fields *fields, const char *line, size_t length,
                                  enum document_result result, const struct document *document,
                                  const char *reason) {
  const bool malformed =
      result == DOCUMENT_REJECTED &&
      (strncmp(reason, "malformed JSON at byte ", 23) == 0 ||
       strncmp(reason, "invalid UTF-8 at byte ", 22) == 0 || strncmp(reason, "the line is UTF-16", 18) == 0);
  /* jansson's reader keeps its look-ahead as a C string, so a NUL after a token is lost. */
  if (memchr(line, '\0', length)) return;
  json_error_t error;
  char *copy = replace_not_finite(line, &length);
  json_t *root = json_loadb(copy, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  free(copy);
  if (!root) {
    REQUIRE(malformed || result == DOCUMENT_BLANK || is_limit_of_jansson(&error));
    return;
  }
  REQUIRE(!malformed && result != DOCUMENT_BLANK);
  if (json_is_object(root)) {
    check_object(fields, root, result, document);
  } else {
    REQUIRE(result == DOCUMENT_REJECTED && strcmp(reason, "not a JSON object") == 0);
  }
  json_decref(root);
}

static void check_inside(struct span span, const char *line, size_t length) {
  if (!span.bytes) return;
  REQUIRE(span.length >= 0 && span.bytes >= line && span.bytes + span.length <= line + length);
  json_t *text = json_stringn(span.bytes, (size_t)span.length);
  REQUIRE(text); /* the value is valid UTF-8 */
  json_decref(text);
}

/* Returns the value at a path of names, or NULL. */
static const json_t *value_at(const json_t *root, const struct kept_field *field) {
  for (int32_t i = 0; root && i < field->depth; i++)
    root = json_is_object(root) ? json_object_get(root, field->name[i]) : NULL;
  return root;
}

/* The line kept from a document is an object with the values that jansson finds in the document. */
static void check_kept_line(const struct kept_fields *kept, const char *line, size_t length,
                            const struct text *text) {
  REQUIRE(text->size > 0 && text->bytes[text->size - 1] == '\n');
  REQUIRE(kept_line_check(text->bytes, (int64_t)text->size - 1));
  if (memchr(line, '\0', length)) return;
  char *copy = replace_not_finite(line, &length);
  json_t *root = json_loadb(copy, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  json_t *found = json_loadb(text->bytes, text->size, JSON_ALLOW_NUL, NULL);
  free(copy);
  for (int32_t i = 0; root && i < kept->count; i++) {
    const json_t *expected = value_at(root, &kept->field[i]);
    const json_t *value = json_object_get(found, kept->field[i].path);
    REQUIRE(found && !expected == !value && (!value || json_equal(value, expected)));
  }
  json_decref(found);
  json_decref(root);
}

static void check_keeping(const struct document_fields *fields, const char *original, size_t length,
                          enum document_result without) {
  struct kept_fields kept;
  struct error error;
  struct text text = {0};
  struct document document;
  char reason[256] = "", *line = malloc(length > 0 ? length : 1);
  REQUIRE(line && kept_fields_parse("id,t\xc3\xa0/,title.a,x,a.b.c", &kept, &error));
  memcpy(line, original, length);
  const struct document_fields keeping = {
      .text = fields->text, .id = fields->id, .title = fields->title, .kept = &kept};
  const enum document_result result =
      document_parse_keeping(&keeping, line, (int64_t)length, &document, &text, reason);
  if (result == DOCUMENT_READ)
    check_kept_line(&kept, original, length, &text);
  else
    REQUIRE(text.size == 0 && memcmp(line, original, length) == 0);
  REQUIRE(result == without || strncmp(reason, "field \"", 7) == 0);
  text_free(&text);
  kept_fields_free(&kept);
  free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  const struct document_fields *fields = &choices[data[0] % 4];
  const char *original = (const char *)data + 1;
  const size_t length = size - 1;
  char *line = malloc(length > 0 ? length : 1);
  if (!line) return 0;
  memcpy(line, original, length);
  struct document document = {0};
  char reason[256] = "";
  const enum document_result result = document_parse(fields, line, (int64_t)length, &document, reason);
  if (result == DOCUMENT_REJECTED) {
    REQUIRE(reason[0] != '\0' && memchr(reason, '\0', sizeof reason));
    REQUIRE(memcmp(line, original, length) == 0);
  }
  check_inside(document.text, line, length);
  check_inside(document.title, line, length);
  check_inside(document.id, line, length);
  check_against_jansson(fields, original, length, result, &document, reason);
  check_keeping(fields, original, length, result);
  free(line);
  return 0;
}
