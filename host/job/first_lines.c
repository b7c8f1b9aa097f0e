#include "host/job/first_lines.h"

#include <stdio.h>
#include <string.h>

#include "io/json_scan.h"
#include "io/line_reader.h"

#define LOOK_BYTES ((int64_t)BYTE_HEAD_MAX)
#define FIELDS_NAMED 8

/* Results so far. */
struct glance {
  const struct first_lines *first;
  int64_t rejected;
  int64_t bytes;                                       /* of text, from shards that are done */
  bool over;                                           /* found an accepted line, or enough rejected lines */
  char where[PATH_MAX + 40], reason[256], fields[300]; /* for the first rejected line */
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
  switch (result) {
    case DOCUMENT_READ:
      glance->over = true;
      return;
    case DOCUMENT_BLANK:
      break;
    case DOCUMENT_REJECTED:
      if (glance->rejected++ > 0) break;
      snprintf(glance->where, sizeof glance->where, "%s, line %lld", line_reader_name(reader),
               (long long)line_reader_number(reader));
      memcpy(glance->reason, reason, sizeof reason);
      if (!line->too_long) name_fields(line, glance->fields, sizeof glance->fields);
      break;
  }
  glance->over = glance->rejected == FIRST_LINES;
}

/* Looks into one shard. False if memory runs out. */
static bool glance_into(struct glance *glance, const struct shard *shard, struct byte_head *head,
                        struct error *error) {
  /* The limit counts all the text, so that a line without an end does not pass it. */
  const struct line_limits limits = {.line = glance->first->max_line, .total = LOOK_BYTES - glance->bytes};
  struct line line;
  *error = (struct error){0};
  struct line_reader *reader =
      strcmp(shard->path, "-") == 0
          ? line_reader_open_keeping(shard->path, &limits, glance->first->stop, head, error)
          : line_reader_open(shard->path, &limits, error);
  while (reader && !glance->over && line_reader_next_any(reader, &line, error) == LINE_READ)
    glance_at(glance, reader, &line);
  if (reader) glance->bytes += line_reader_bytes(reader);
  if (glance->bytes >= LOOK_BYTES) glance->over = true;
  line_reader_close(reader);
  return error->code != ERROR_MEMORY;
}

bool first_lines_check(const struct first_lines *first, struct byte_head *head, struct error *error) {
  struct glance glance = {.first = first};
  *head = (struct byte_head){0};
  for (int32_t i = 0; i < first->count && !glance.over; i++)
    if (!glance_into(&glance, &first->shards[i], head, error)) return false;
  if (glance.rejected < FIRST_LINES) return true;
  return error_set(error, ERROR_USAGE,
                   "the first %d lines are all rejected, so nothing was begun. %s: %s%s%s. Pass --text-field "
                   "NAME (and --id-field, --title-field), or --allow-rejects to go on",
                   FIRST_LINES, glance.where, glance.reason, *glance.fields ? "; its fields: " : "",
                   glance.fields);
}
