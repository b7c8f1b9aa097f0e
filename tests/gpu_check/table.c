#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "tests/gpu_check/gpu_check.h"

/* If the table is full, the last line is overwritten; no part has so many lines. */
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

static void line_json(const struct table_line *line, const struct table *table) {
  json_t *value = isfinite(line->value) ? json_real(line->value) : json_null();
  json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:b}", "part", table->part, "what", line->what,
                             "measured", line->measured, "value", value, "beside", line->beside, "verdict",
                             line->verdict, "ok", !line->failed);
  if (object) json_dumpf(object, table->json, JSON_COMPACT | JSON_REAL_PRECISION(9));
  fputs("\n", table->json);
  fflush(table->json);
  json_decref(object);
}

void table_print(struct table *table) {
  for (int i = 0; i < table->count; i++) {
    const struct table_line *line = &table->line[i];
    printf("%-48s %20s  %-42s %s\n", line->what, line->measured, line->beside, line->verdict);
    if (table->json) line_json(line, table);
  }
  fflush(stdout);
  table->count = 0;
}
