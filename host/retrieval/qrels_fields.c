#include "host/retrieval/qrels_fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/json_scan.h"

#define WHITE_SPACE " \t\v\f"
#define GRADE_BYTES 32 /* longest grade */
#define GRADE_MOST 999999999

const char *qrels_form_expected(enum qrels_form form) {
  switch (form) {
    case QRELS_JSON:
      return "an object with query-id, corpus-id and score, the score a whole number";
    case QRELS_BEIR:
      return "query, passage, grade, separated by single tabs, the grade a whole number";
    case QRELS_TREC_TABS:
      return "query, iteration, document, grade, separated by single tabs, the grade a whole number";
    case QRELS_BEIR_SPACES:
      return "query, passage, grade, separated by white space, the grade a whole number";
    case QRELS_TREC:
      return "query, iteration, document, grade, separated by white space, the grade a whole number";
    case QRELS_UNKNOWN:
      break;
  }
  return "lines of query, passage, grade separated by tabs (BEIR), of query, iteration, document, grade "
         "(TREC), or of JSON objects with query-id, corpus-id and score";
}

/* A line's length without tabs and blanks at its end: no field begins there. */
static size_t text_length(const char *text) {
  size_t length = strlen(text);
  while (length > 0 && strchr(WHITE_SPACE, text[length - 1])) length--;
  return length;
}

/* Splits text [0, length) at single tabs, or at runs of white space. Returns the number of fields, at most
 * QRELS_FIELDS_MAX. */
static int fields_split(const char *text, size_t length, bool tabs,
                        struct qrels_field fields[QRELS_FIELDS_MAX]) {
  const char *separators = tabs ? "\t" : WHITE_SPACE, *end = text + length;
  int count = 0;
  if (!tabs) text += strspn(text, separators);
  while (count < QRELS_FIELDS_MAX && text < end) {
    size_t size = strcspn(text, separators);
    if (size > (size_t)(end - text)) size = (size_t)(end - text);
    fields[count++] = (struct qrels_field){text, size};
    text += size;
    if (text < end) text += tabs ? 1 : strspn(text, separators);
  }
  return count;
}

/* Splits at tabs like a CSV reader: a field that begins with a quote ends at the next quote, and may hold
 * tabs and doubled quotes. Works in place: the unquoted field moves to the place of its first quote. Returns
 * 0 if a quoted field does not end. */
static int fields_split_quoted(char *text, size_t length, struct qrels_field fields[QRELS_FIELDS_MAX]) {
  size_t at = 0;
  int count = 0;
  while (count < QRELS_FIELDS_MAX && at < length) {
    const size_t start = at;
    size_t put = at;
    bool quoted = text[at] == '"';
    if (quoted) at++;
    for (; at < length && (quoted || text[at] != '\t'); at++) {
      if (quoted && text[at] == '"') {
        quoted = text[at + 1] == '"';
        if (!quoted) continue;
        at++;
      }
      text[put++] = text[at];
    }
    if (quoted) return 0;
    fields[count++] = (struct qrels_field){text + start, put - start};
    at++; /* the tab */
  }
  return count;
}

/* Reads a whole number in any usual spelling: 1, +1, 1.0, 1e0. */
static bool grade_parse(struct qrels_field field, int32_t *grade) {
  char digits[GRADE_BYTES + 1], *end;
  while (field.length > 0 && *field.bytes == ' ') field.bytes++, field.length--;
  if (field.length == 0 || field.length > GRADE_BYTES) return false;
  memcpy(digits, field.bytes, field.length);
  digits[field.length] = '\0';
  if (strspn(digits, "0123456789.eE+-") != field.length) return false; /* no "inf", no "0x1" */
  const double value = strtod(digits, &end);
  if (*end || end == digits || value < -GRADE_MOST || value > GRADE_MOST) return false;
  *grade = (int32_t)value;
  return (double)*grade == value;
}

/* True if a header uses this name for the column of grades. A typing error in the first grade must not look
 * like a header. */
static bool is_grade_name(struct qrels_field field) {
  static const char *const names[] = {"score",     "relevance", "relevancy", "rel",  "label",
                                      "judgement", "judgment",  "grade",     "qrel", "relevance_score"};
  if (field.length > 2 && field.bytes[0] == '"' && field.bytes[field.length - 1] == '"') {
    field.bytes++;
    field.length -= 2;
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strlen(names[i]) == field.length && strncasecmp(names[i], field.bytes, field.length) == 0)
      return true;
  return false;
}

enum qrels_form qrels_form_find(const char *text, bool *header) {
  struct qrels_field fields[QRELS_FIELDS_MAX];
  bool quotes = false;
  *header = false;
  if (text[strspn(text, WHITE_SPACE)] == '{') return QRELS_JSON;
  const size_t length = text_length(text);
  const bool tabs = memchr(text, '\t', length) != NULL;
  const int count = fields_split(text, length, tabs, fields);
  for (int i = 0; i < count; i++) quotes |= tabs && fields[i].bytes[0] == '"';
  *header = count > 0 && is_grade_name(fields[count - 1]);
  if (quotes) return QRELS_BEIR; /* quoted fields may hold tabs, so the count says nothing */
  if (count == 3) return tabs ? QRELS_BEIR : QRELS_BEIR_SPACES;
  if (count == 4) return tabs ? QRELS_TREC_TABS : QRELS_TREC;
  return QRELS_UNKNOWN;
}

/* Decodes an id in place. */
static bool id_take(char *text, const struct json_value *value, struct qrels_field *id) {
  if (value->kind != JSON_STRING && value->kind != JSON_INTEGER) return false;
  if (value->kind == JSON_STRING && value->lone_surrogate) return false;
  int64_t length = value->length;
  if (value->kind == JSON_STRING && value->escaped)
    length = json_string_decode(text + (value->bytes - text), length);
  *id = (struct qrels_field){value->bytes, (size_t)length};
  return length > 0 && !memchr(value->bytes, '\0', (size_t)length);
}

static bool json_parse_members(struct json_scan *scan, struct json_value values[3], bool there[3]) {
  static const char *const names[][2] = {
      {"query-id", "query_id"}, {"corpus-id", "corpus_id"}, {"score", "relevance"}};
  do {
    struct json_value name, value;
    json_scan_space(scan);
    if (!json_scan_name(scan, &name) || !json_scan_value(scan, &value)) return false;
    for (int i = 0; i < 3; i++) {
      if (!json_string_is(&name, names[i][0]) && !json_string_is(&name, names[i][1])) continue;
      values[i] = value;
      there[i] = true;
    }
    json_scan_space(scan);
  } while (json_scan_byte(scan, ',', "") || (scan->problem = NULL));
  return json_scan_byte(scan, '}', "") && !json_scan_space(scan);
}

static bool json_parse(char *text, struct qrels_line *line) {
  struct json_scan scan;
  struct json_value values[3];
  bool there[3] = {false};
  json_scan_start(&scan, text, (int64_t)strlen(text));
  if (!json_scan_space(&scan) || !json_scan_byte(&scan, '{', "")) return false;
  if (!json_parse_members(&scan, values, there) || !there[0] || !there[1] || !there[2]) return false;
  const struct json_value *grade = &values[2];
  return (grade->kind == JSON_INTEGER || grade->kind == JSON_REAL) &&
         grade_parse((struct qrels_field){grade->bytes, (size_t)grade->length}, &line->grade) &&
         id_take(text, &values[0], &line->query) && id_take(text, &values[1], &line->passage);
}

bool qrels_fields_parse(enum qrels_form form, char *text, struct qrels_line *line) {
  if (form == QRELS_JSON) return json_parse(text, line);
  struct qrels_field fields[QRELS_FIELDS_MAX];
  const bool trec = form == QRELS_TREC || form == QRELS_TREC_TABS;
  const size_t length = text_length(text);
  const int count = form == QRELS_BEIR ? fields_split_quoted(text, length, fields)
                                       : fields_split(text, length, form == QRELS_TREC_TABS, fields);
  if (count != (trec ? 4 : 3)) return false;
  line->query = fields[0];
  line->passage = fields[count - 2];
  return line->query.length > 0 && line->passage.length > 0 && grade_parse(fields[count - 1], &line->grade);
}
