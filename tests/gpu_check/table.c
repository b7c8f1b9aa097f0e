#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "tests/gpu_check/gpu_check.h"

/* When the table is full its last line is overwritten; no part's is as long. */
struct table_line *table_add(struct table *table, bool failed, const char *what, ...) {
  if (table->count < TABLE_LINES_MAX) table->count++;
  struct table_line *line = &table->line[table->count - 1];
  *line = (struct table_line){.failed = failed};
  va_list arguments;
  va_start(arguments, what);
  vsnprintf(line->what, sizeof line->what, what, arguments);
  va_end(arguments);
  if (failed) {
    table->failures++;
    snprintf(line->verdict, sizeof line->verdict, "FAILED");
  }
  return line;
}

static void line_json(const struct table_line *line, const char *part, FILE *stream) {
  json_t *object = json_pack("{s:s, s:s, s:s, s:f, s:s, s:s, s:b}", "part", part, "what", line->what,
                             "measured", line->measured, "value", line->value, "beside", line->beside,
                             "verdict", line->verdict, "ok", !line->failed);
  if (object) json_dumpf(object, stream, JSON_COMPACT);
  fputs("\n", stream);
  json_decref(object);
}

void table_end(struct table *table, const char *part, FILE *json) {
  for (int i = 0; i < table->count; i++) {
    const struct table_line *line = &table->line[i];
    printf("%-48s %20s  %-42s %s\n", line->what, line->measured, line->beside, line->verdict);
    if (json) line_json(line, part, json);
  }
  fflush(stdout);
  if (json) fflush(json);
  table->count = 0;
}
