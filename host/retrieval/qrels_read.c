#include "host/retrieval/qrels_read.h"

#include <string.h>

#include "io/byte_source.h"
#include "io/text.h"

#define READ_BYTES (256 * 1024)
#define FIELDS_BEIR 3
#define FIELDS_TREC 4
#define FIELDS_MAX 5 /* one more than any form has, to see that a line has too many */
#define WHITE_SPACE " \t\v\f"

/* How the file is written; its first line says. */
struct qrels_form {
  bool tabs;
  int fields;
};

static bool bytes_read(const char *path, struct text *text, struct error *error) {
  struct byte_source *source = byte_source_open(path, error);
  if (!source) return false;
  char piece[READ_BYTES];
  int64_t got;
  while ((got = byte_source_read(source, piece, sizeof piece, error)) > 0)
    text_append(text, piece, (size_t)got);
  byte_source_close(source);
  if (got < 0) return false;
  text_append(text, "", 1); /* a NUL, so that strcspn and its like end */
  return !text->failed || error_set_memory(error, text->size, "judgements");
}

/* Cuts a NUL-terminated line at single tabs, or at stretches of white space. Returns the number of fields, at
 * most FIELDS_MAX. */
static int fields_split(const char *line, bool tabs, struct qrels_field fields[FIELDS_MAX]) {
  int count = 0;
  if (!tabs) line += strspn(line, WHITE_SPACE);
  while (count < FIELDS_MAX && (tabs || *line)) {
    const size_t length = strcspn(line, tabs ? "\t" : WHITE_SPACE);
    fields[count++] = (struct qrels_field){line, length};
    line += length;
    if (*line == '\0') break;
    line += tabs ? 1 : strspn(line, WHITE_SPACE);
  }
  return count;
}

/* A whole number of at most nine digits; zeros may follow a point, as some tools write them. */
static bool grade_parse(struct qrels_field field, int32_t *grade) {
  size_t at = 0, digits = 0;
  int32_t value = 0;
  const bool negative = field.length > 0 && field.bytes[0] == '-';
  if (negative || (field.length > 0 && field.bytes[0] == '+')) at++;
  for (; at < field.length && field.bytes[at] >= '0' && field.bytes[at] <= '9'; at++, digits++)
    if (digits < 9) value = value * 10 + (field.bytes[at] - '0');
  if (digits < 1 || digits > 9) return false;
  if (at < field.length && field.bytes[at] == '.') do
      at++;
    while (at < field.length && field.bytes[at] == '0');
  *grade = negative ? -value : value;
  return at == field.length;
}

static bool line_parse(const struct qrels_form *form, const struct qrels_field *fields, int count,
                       struct qrels_line *line) {
  if (count != form->fields) return false;
  line->query = fields[0];
  line->passage = fields[count - 2];
  return line->query.length > 0 && line->passage.length > 0 && grade_parse(fields[count - 1], &line->grade);
}

/* Takes the form from the first line. A first line without a grade is a header, and *header says so. */
static bool form_find(const char *path, const char *text, struct qrels_form *form, bool *header,
                      struct error *error) {
  struct qrels_field fields[FIELDS_MAX];
  int32_t grade;
  form->tabs = strchr(text, '\t') != NULL;
  form->fields = fields_split(text, form->tabs, fields);
  if (form->fields != FIELDS_BEIR && form->fields != FIELDS_TREC)
    return error_set(error, ERROR_INPUT,
                     "%s does not begin as judgements do: expected lines of query, passage, grade separated "
                     "by tabs (BEIR), or of query, iteration, document, grade (TREC)",
                     path);
  *header = !grade_parse(fields[form->fields - 1], &grade);
  return true;
}

bool qrels_read_lines(const char *path, qrels_line_fn *take, void *context, struct error *error) {
  bool ok = false, formed = false;
  struct text text = {0};
  struct qrels_form form;
  if (!bytes_read(path, &text, error)) goto out;
  char *rest = text.bytes, *const end = text.bytes + text.size - 1;
  if (strncmp(rest, "\xef\xbb\xbf", 3) == 0) rest += 3; /* a byte order mark */
  for (int64_t number = 1; rest < end; number++) {
    char *const start = rest;
    char *stop = memchr(start, '\n', (size_t)(end - start));
    if (!stop) stop = end;
    rest = stop + 1;
    *stop = '\0';
    if (stop > start && stop[-1] == '\r') stop[-1] = '\0';
    if (start[strspn(start, WHITE_SPACE)] == '\0') continue;
    bool header = false;
    if (!formed && !form_find(path, start, &form, &header, error)) goto out;
    formed = true;
    if (header) continue;
    struct qrels_field fields[FIELDS_MAX];
    struct qrels_line line = {.number = number};
    if (!line_parse(&form, fields, fields_split(start, form.tabs, fields), &line)) {
      error_set(error, ERROR_INPUT,
                "%s:%lld is no judgement: expected %s, separated by %s, the grade a whole number", path,
                (long long)number,
                form.fields == FIELDS_BEIR ? "query, passage, grade" : "query, iteration, document, grade",
                form.tabs ? "single tabs" : "white space");
      goto out;
    }
    if (!take(context, &line, error)) goto out;
  }
  ok = true;
out:
  text_free(&text);
  return ok;
}
