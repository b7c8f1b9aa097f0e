#include "host/retrieval/qrels_read.h"

#include <string.h>
#include <strings.h>

#include "io/line_reader.h"

#define LINE_BYTES ((int64_t)1 << 20) /* of the longest line: two ids and a grade */
#define TEXT_BYTES ((int64_t)1 << 30) /* of all: tens of millions of judgements */
#define FIELDS_BEIR 3
#define FIELDS_TREC 4
#define FIELDS_MAX 5 /* one more than any form has, to see that a line has too many */
#define WHITE_SPACE " \t\v\f"

/* How the file is written; its first line says. */
struct qrels_form {
  bool tabs;
  int fields;
};

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

/* True for what a header calls the column of grades. A slip in a first grade must not pass for one. */
static bool is_grade_name(struct qrels_field field) {
  static const char *const names[] = {"score",     "relevance", "relevancy", "rel",  "label",
                                      "judgement", "judgment",  "grade",     "qrel", "relevance_score"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strlen(names[i]) == field.length && strncasecmp(names[i], field.bytes, field.length) == 0)
      return true;
  return false;
}

/* Takes the form from the first line. One whose last column is called as grades are is a header, and *header
 * says so. */
static bool form_find(const char *path, const char *text, struct qrels_form *form, bool *header,
                      struct error *error) {
  struct qrels_field fields[FIELDS_MAX];
  form->tabs = strchr(text, '\t') != NULL;
  form->fields = fields_split(text, form->tabs, fields);
  if (form->fields != FIELDS_BEIR && form->fields != FIELDS_TREC)
    return error_set(error, ERROR_INPUT,
                     "%s does not begin as judgements do: expected lines of query, passage, grade separated "
                     "by tabs (BEIR), or of query, iteration, document, grade (TREC)",
                     path);
  *header = is_grade_name(fields[form->fields - 1]);
  return true;
}

/* Takes one line, which is no blank one. */
static bool line_take(const struct line_reader *reader, const char *text, const struct qrels_form *form,
                      qrels_line_fn *take, void *context, struct error *error) {
  struct qrels_field fields[FIELDS_MAX];
  struct qrels_line line = {.number = line_reader_number(reader)};
  if (line_parse(form, fields, fields_split(text, form->tabs, fields), &line))
    return take(context, &line, error);
  return error_set(
      error, ERROR_INPUT, "%s:%lld is no judgement: expected %s, separated by %s, the grade a whole number",
      line_reader_name(reader), (long long)line.number,
      form->fields == FIELDS_BEIR ? "query, passage, grade" : "query, iteration, document, grade",
      form->tabs ? "single tabs" : "white space");
}

bool qrels_read_lines(const char *path, qrels_line_fn *take, void *context, struct error *error) {
  const struct line_limits limits = {.line = LINE_BYTES, .total = TEXT_BYTES};
  struct line_reader *reader = line_reader_open(path, &limits, error);
  struct qrels_form form = {0};
  struct line line;
  enum line_result result = LINE_FAILED;
  bool ok = reader != NULL;
  while (ok && (result = line_reader_next(reader, &line, error)) == LINE_READ) {
    bool header = false;
    ok = line_is_string(reader, &line, error);
    if (!ok || line.text[strspn(line.text, WHITE_SPACE)] == '\0') continue;
    if (form.fields == 0) ok = form_find(path, line.text, &form, &header, error);
    if (ok && !header) ok = line_take(reader, line.text, &form, take, context, error);
  }
  line_reader_close(reader);
  return ok && result == LINE_END;
}
