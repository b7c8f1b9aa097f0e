#include <string.h>

#include "tests/gpu_check/gpu_check.h"

/* When the table is full its last line is overwritten; none of ours is as long. */
struct table_line *table_add(struct table *table, bool failed) {
  if (table->count < TABLE_LINES_MAX) table->count++;
  struct table_line *line = &table->line[table->count - 1];
  memset(line, 0, sizeof *line);
  if (failed) {
    table->failures++;
    snprintf(line->verdict, sizeof line->verdict, "FAILED");
  }
  return line;
}

void table_print(const struct table *table, FILE *stream) {
  fprintf(stream, "\n%-44s %20s  %-30s %s\n", "what", "measured", "beside", "");
  for (int i = 0; i < table->count; i++) {
    const struct table_line *line = &table->line[i];
    fprintf(stream, "%-44s %20s  %-30s %s\n", line->what, line->measured, line->beside, line->verdict);
  }
}
