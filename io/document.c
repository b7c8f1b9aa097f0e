#include "io/document.h"

#include <stdio.h>
#include <string.h>

#include "io/json_scan.h"
#include "io/kept_values.h"
#include "io/text.h"

enum { FIELD_TEXT, FIELD_TITLE, FIELD_ID, FIELDS };

struct wanted_field {
  const char *name; /* NULL: not asked for */
  bool there;
  struct json_value value;
};

/* "field "NAME" …". A long name is cut between two characters, because a reason becomes JSON, which is
 * UTF-8. */
static enum document_result reject(char reason[256], const char *before, const char *name,
                                   const char *after) {
  const size_t shown = text_cut(name, strlen(name), 160);
  snprintf(reason, 256, "%sfield \"%.*s\"%s", before, (int)shown, name, after);
  return DOCUMENT_REJECTED;
}

/* "field "NAME" PROBLEM", and the value if it is NaN or infinite (JSON has no such values). */
static enum document_result reject_kind(char reason[256], const struct wanted_field *field,
                                        const char *problem) {
  const struct json_value *value = &field->value;
  char after[64];
  if (value->kind == JSON_NOT_FINITE)
    snprintf(after, sizeof after, "%s: it is %.*s", problem, (int)value->length, value->bytes);
  else
    snprintf(after, sizeof after, "%s", problem);
  return reject(reason, "", field->name, after);
}

/* UTF-16 (Windows calls it "Unicode") begins an object with a brace and a NUL, in either order, perhaps after
 * a byte order mark. If the line is not the file's first, it begins with the second half of the line end. */
static bool is_utf16(const char *line, int64_t length) {
  if (length >= 2 && (memcmp(line, "\xff\xfe", 2) == 0 || memcmp(line, "\xfe\xff", 2) == 0)) return true;
  if (length >= 2 && (memcmp(line, "{\0", 2) == 0 || memcmp(line, "\0{", 2) == 0)) return true;
  return length >= 3 && memcmp(line, "\0{\0", 3) == 0;
}

static enum document_result reject_malformed(char reason[256], const struct json_scan *scan) {
  if (is_utf16(scan->start, scan->end - scan->start))
    snprintf(reason, 256, "the line is UTF-16, and JSON lines are UTF-8: iconv -f UTF-16 -t UTF-8 converts");
  else
    json_scan_explain(scan, reason);
  return DOCUMENT_REJECTED;
}

/* `kept` may be NULL. */
static bool scan_members(struct json_scan *scan, struct wanted_field field[FIELDS],
                         struct kept_values *kept) {
  struct json_value name, value;
  bool more;
  if (!json_scan_object(scan, &more)) return false;
  while (more) {
    if (!json_scan_member(scan, &name, &value, &more)) return false;
    for (int i = 0; i < FIELDS; i++) {
      if (!field[i].name || !json_string_is(&name, field[i].name)) continue;
      field[i].there = true;
      field[i].value = value;
    }
    if (kept) kept_values_take(kept, &name, &value);
  }
  return true;
}

/* The line must end here. */
static bool scan_end(struct json_scan *scan) {
  if (!json_scan_space(scan)) return true;
  scan->problem = "expected the end of the line";
  return false;
}

/* For a line that does not begin an object: tells well-formed JSON from malformed. */
static enum document_result reject_other(char reason[256], struct json_scan *scan) {
  struct json_value value;
  if (!json_scan_value(scan, &value) || !scan_end(scan)) return reject_malformed(reason, scan);
  snprintf(reason, 256, "not a JSON object");
  return DOCUMENT_REJECTED;
}

static enum document_result check_fields(const struct wanted_field field[FIELDS], char reason[256]) {
  const struct wanted_field *text = &field[FIELD_TEXT], *title = &field[FIELD_TITLE], *id = &field[FIELD_ID];
  if (!text->there) return reject(reason, "no ", text->name, "");
  if (text->value.kind != JSON_STRING) return reject_kind(reason, text, " is not a string");
  if (title->there && title->value.kind != JSON_STRING)
    return reject_kind(reason, title, " is neither a string nor null");
  if (id->name && !id->there) return reject(reason, "no ", id->name, "");
  if (id->there && id->value.kind != JSON_STRING && id->value.kind != JSON_INTEGER)
    return reject_kind(reason, id, " is neither a string nor an integer");
  for (int i = 0; i < FIELDS; i++)
    if (field[i].there && field[i].value.lone_surrogate)
      return reject(reason, "", field[i].name, " has a lone surrogate escape, which is not a character");
  return DOCUMENT_READ;
}

/* Decodes the fields in place. If two fields were given the same name, they are the same value. */
static void decode_fields(struct wanted_field field[FIELDS], char *line, struct span span[FIELDS]) {
  for (int i = 0; i < FIELDS; i++) {
    const struct json_value *value = &field[i].value;
    span[i] = (struct span){NULL, 0};
    if (!field[i].there) continue;
    int same = 0;
    while (same < i && span[same].bytes != value->bytes) same++;
    if (same < i) {
      span[i] = span[same];
      continue;
    }
    span[i] = (struct span){value->bytes, value->length};
    if (value->escaped) span[i].length = json_string_decode(line + (value->bytes - line), value->length);
  }
}

enum document_result document_parse(const struct document_fields *fields, char *line, int64_t length,
                                    struct document *document, char reason[256]) {
  return document_parse_keeping(fields, line, length, document, NULL, reason);
}

enum document_result document_parse_keeping(const struct document_fields *fields, char *line, int64_t length,
                                            struct document *document, struct text *kept, char reason[256]) {
  struct wanted_field field[FIELDS] = {
      [FIELD_TEXT] = {.name = fields->text},
      [FIELD_TITLE] = {.name = fields->title},
      [FIELD_ID] = {.name = fields->id},
  };
  struct json_scan scan;
  struct fields_there there = {0};
  struct kept_values values, *keeping = fields->kept ? &values : NULL;
  if (keeping) kept_values_start(keeping, fields->kept);
  json_scan_start(&scan, line, length);
  if (!json_scan_space(&scan)) return DOCUMENT_BLANK;
  if (*scan.at != '{') return reject_other(reason, &scan);
  if (!scan_members(&scan, field, keeping) || !scan_end(&scan)) return reject_malformed(reason, &scan);
  there.title = field[FIELD_TITLE].there;
  if (field[FIELD_TITLE].there && field[FIELD_TITLE].value.kind == JSON_NULL)
    field[FIELD_TITLE].there = false;
  if (check_fields(field, reason) != DOCUMENT_READ) return DOCUMENT_REJECTED;
  if (keeping && !kept_values_finish(keeping, reason)) return DOCUMENT_REJECTED;
  if (keeping) there.kept = kept_values_there(keeping);
  /* Before the decoding, which changes the line. */
  if (keeping && kept) kept_values_append(keeping, kept);
  struct span span[FIELDS];
  decode_fields(field, line, span);
  *document = (struct document){
      .text = span[FIELD_TEXT],
      .title = span[FIELD_TITLE],
      .id = span[FIELD_ID],
      .id_is_integer = field[FIELD_ID].there && field[FIELD_ID].value.kind == JSON_INTEGER,
      .there = there,
  };
  return DOCUMENT_READ;
}
