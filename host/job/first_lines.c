#include "host/job/first_lines.h"

#include <stdio.h>
#include <string.h>

#include "io/json_scan.h"
#include "io/line_reader.h"

#define LOOK_BYTES ((int64_t)64 << 20)
#define FIELDS_NAMED 8

/* Results so far. */
struct glance {
  const struct first_lines *first;
  int64_t rejected, bytes;
  bool over;                                 /* found an accepted line, or enough rejected lines */
  char where[300], reason[256], fields[300]; /* for the first rejected line */
};

/* Lists the names of an object's members: `"id", "cos"`. Empty if the line is not an object. */
static void name_fields(const struct line *line, char *names, size_t size) {
  struct json_scan scan;
  struct json_value name, value;
  size_t used = 0;
  names[0] = '\0';
  json_scan_start(&scan, line->text, line->length);
  if (!json_scan_space(&scan) || !json_scan_byte(&scan, '{', "")) return;
  for (int i = 0; i < FIELDS_NAMED; i++) {
    if (!json_scan_space(&scan) || !json_scan_name(&scan, &name) || !json_scan_value(&scan, &value)) return;
    if (name.length < 40 && used < size - 50)
      used += (size_t)snprintf(names + used, size - used, "%s\"%.*s\"", used ? ", " : "", (int)name.length,
                               name.bytes);
    if (!json_scan_space(&scan) || !json_scan_byte(&scan, ',', "")) return;
  }
}

static void glance_at(struct glance *glance, const struct line_reader *reader, const struct line *line) {
  char reason[256] = "it is longer than --max-line";
  struct document document;
  const enum document_result result =
      line->too_long ? DOCUMENT_REJECTED
                     : document_parse(&glance->first->fields, line->text, line->length, &document, reason);
  glance->bytes += line->length;
  switch (result) {
    case DOCUMENT_READ:
      glance->over = true;
      return;
    case DOCUMENT_BLANK:
      break;
    case DOCUMENT_REJECTED:
      if (glance->rejected++ > 0) break;
      snprintf(glance->where, sizeof glance->where, "%.250s, line %lld", line_reader_name(reader),
               (long long)line_reader_number(reader));
      memcpy(glance->reason, reason, sizeof reason);
      if (!line->too_long) name_fields(line, glance->fields, sizeof glance->fields);
      break;
  }
  glance->over = glance->rejected == FIRST_LINES || glance->bytes > LOOK_BYTES;
}

static void glance_into(struct glance *glance, const struct shard *shard, struct byte_head *head) {
  const struct line_limits limits = {.line = glance->first->max_line};
  struct error unused;
  struct line line;
  const bool standard_input = strcmp(shard->path, "-") == 0;
  struct line_reader *reader =
      standard_input ? line_reader_open_keeping(shard->path, &limits, glance->first->stop, &unused)
                     : line_reader_open(shard->path, &limits, &unused);
  while (reader && !glance->over && line_reader_next_any(reader, &line, &unused) == LINE_READ)
    glance_at(glance, reader, &line);
  if (reader && standard_input) line_reader_take_head(reader, head);
  line_reader_close(reader);
}

bool first_lines_check(const struct first_lines *first, struct byte_head *head, struct error *error) {
  struct glance glance = {.first = first};
  *head = (struct byte_head){0};
  for (int32_t i = 0; i < first->count && !glance.over; i++) glance_into(&glance, &first->shards[i], head);
  if (glance.rejected < FIRST_LINES) return true;
  return error_set(error, ERROR_USAGE,
                   "the first %d lines are all rejected, so nothing was begun. %s: %s%s%s. Pass --text-field "
                   "NAME (and --id-field, --title-field), or --allow-rejects to go on",
                   FIRST_LINES, glance.where, glance.reason, *glance.fields ? "; its fields: " : "",
                   glance.fields);
}
