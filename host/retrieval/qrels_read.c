#include "host/retrieval/qrels_read.h"

#include <string.h>

#include "host/retrieval/qrels_fields.h"
#include "io/line_reader.h"

#define LINE_BYTES ((int64_t)1 << 20) /* longest line: two ids and a grade */
#define TEXT_BYTES ((int64_t)1 << 30) /* longest file: tens of millions of judgements */
#define BLANKS " \t\v\f"

/* Takes one line that is not blank. */
static bool line_take(const struct line_reader *reader, char *text, enum qrels_form form, qrels_line_fn *take,
                      void *context, struct error *error) {
  struct qrels_line line = {.number = line_reader_number(reader)};
  if (qrels_fields_parse(form, text, &line)) return take(context, &line, error);
  return error_set(error, ERROR_INPUT, "%s:%lld is no judgement: expected %s", line_reader_name(reader),
                   (long long)line.number, qrels_form_expected(form));
}

bool qrels_read_lines(const char *path, qrels_line_fn *take, void *context, struct error *error) {
  const struct line_limits limits = {.line = LINE_BYTES, .total = TEXT_BYTES};
  struct line_reader *reader = line_reader_open(path, &limits, error);
  enum qrels_form form = QRELS_UNKNOWN;
  struct line line;
  enum line_result result = LINE_FAILED;
  bool ok = reader != NULL;
  while (ok && (result = line_reader_next(reader, &line, error)) == LINE_READ) {
    bool header = false;
    ok = line_is_string(reader, &line, error);
    if (!ok || line.text[strspn(line.text, BLANKS)] == '\0') continue;
    if (form == QRELS_UNKNOWN) {
      form = qrels_form_find(line.text, &header);
      ok = form != QRELS_UNKNOWN ||
           error_set(error, ERROR_INPUT, "%s does not begin as judgements do: expected %s", path,
                     qrels_form_expected(form));
    }
    if (ok && !header) ok = line_take(reader, line.text, form, take, context, error);
  }
  line_reader_close(reader);
  return ok && result == LINE_END;
}
