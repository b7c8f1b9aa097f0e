#include "io/kept_fields.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_scan.h"

#define OPTION "--keep-fields"

static_assert(KEPT_FIELDS_MAX <= 64, "a document says in 64 bits which fields it has");

/* Where the next names of paths, without their backslashes, and texts of paths go. */
struct path_cursor {
  char *byte, *path;
  const char **name;
  bool blanks_count; /* blanks around a name are a part of it */
};

static bool is_blank(char byte) {
  return byte == ' ' || byte == '\t';
}

/* Copies one name and returns where it ends in the list. */
static const char *name_parse(const char *at, struct path_cursor *cursor) {
  while (!cursor->blanks_count && is_blank(*at)) at++;
  const char *const start = at, *end = at;
  char *byte_end = cursor->byte;
  while (*at && *at != ',' && *at != '.') {
    const bool escaped = *at == '\\' && at[1] && strchr(",.\\ \t", at[1]);
    at += escaped;
    const bool blank = !cursor->blanks_count && !escaped && is_blank(*at);
    *cursor->byte++ = *at++;
    if (blank) continue;
    end = at;
    byte_end = cursor->byte;
  }
  memcpy(cursor->path, start, (size_t)(end - start));
  cursor->path += end - start;
  cursor->byte = byte_end;
  *cursor->byte++ = '\0';
  return at;
}

static const char *path_parse(const char *at, struct path_cursor *cursor, struct kept_field *field) {
  *field = (struct kept_field){.path = cursor->path, .name = cursor->name};
  for (bool more = true; more; at += more) {
    cursor->name[field->depth++] = cursor->byte;
    at = name_parse(at, cursor);
    more = *at == '.';
    *cursor->path++ = more ? '.' : '\0';
  }
  cursor->name += field->depth;
  return at;
}

/* True if the field of one path lies inside that of the other, or is the same. */
static bool fields_overlap(const struct kept_field *a, const struct kept_field *b) {
  for (int32_t i = 0; i < a->depth && i < b->depth; i++)
    if (strcmp(a->name[i], b->name[i]) != 0) return false;
  return true;
}

static bool field_check(const struct kept_fields *kept, const struct kept_field *field, struct error *error) {
  for (int32_t i = 0; i < field->depth; i++)
    if (*field->name[i] == '\0')
      return error_set(error, ERROR_USAGE,
                       OPTION " \"%s\": a name is empty; names stand as in url,meta.department", kept->list);
  for (int32_t i = 0; i < kept->count; i++) {
    const struct kept_field *other = &kept->field[i];
    if (!fields_overlap(field, other)) continue;
    if (field->depth == other->depth)
      return error_set(error, ERROR_USAGE, OPTION ": \"%s\" stands there twice", field->path);
    const bool inside = field->depth > other->depth;
    return error_set(error, ERROR_USAGE,
                     OPTION ": \"%s\" lies inside \"%s\", which is kept as a whole: name one",
                     inside ? field->path : other->path, inside ? other->path : field->path);
  }
  return true;
}

/* Writes the list anew from its paths: two spellings of one list are the same in a manifest. */
static void list_spell(struct kept_fields *kept) {
  char *to = kept->list;
  for (int32_t i = 0; i < kept->count; i++) {
    const size_t length = strlen(kept->field[i].path);
    if (i > 0) *to++ = ',';
    memcpy(to, kept->field[i].path, length);
    to += length;
  }
  *to = '\0';
}

static bool list_parse(const char *list, bool blanks_count, struct kept_fields *kept, struct error *error) {
  const size_t room = strlen(list) + 1;
  *kept = (struct kept_fields){.list = strdup(list), .paths = malloc(room), .bytes = malloc(room)};
  kept->names = malloc(room * sizeof *kept->names);
  if (!kept->list || !kept->paths || !kept->bytes || !kept->names)
    return error_set_memory(error, room, "the list of " OPTION);
  if (!utf8_is_valid(list, (int64_t)room - 1))
    return error_set(error, ERROR_USAGE, OPTION ": the list is not valid UTF-8");
  struct path_cursor cursor = {kept->bytes, kept->paths, kept->names, blanks_count};
  for (const char *at = list;; at++) {
    if (kept->count == KEPT_FIELDS_MAX)
      return error_set(error, ERROR_USAGE, OPTION ": more than %d fields", KEPT_FIELDS_MAX);
    struct kept_field *field = &kept->field[kept->count];
    at = path_parse(at, &cursor, field);
    if (!field_check(kept, field, error)) return false;
    kept->count++;
    if (*at == '\0') break;
  }
  list_spell(kept);
  return true;
}

bool kept_fields_parse(const char *list, struct kept_fields *kept, struct error *error) {
  return list_parse(list, false, kept, error);
}

bool kept_fields_parse_recorded(const char *list, struct kept_fields *kept, struct error *error) {
  return list_parse(list, true, kept, error);
}

void kept_fields_free(struct kept_fields *kept) {
  free(kept->list);
  free(kept->paths);
  free(kept->bytes);
  free(kept->names);
  *kept = (struct kept_fields){0};
}

bool kept_line_check(const char *line, int64_t length) {
  struct json_scan scan;
  struct json_value value;
  json_scan_start(&scan, line, length);
  return json_scan_value(&scan, &value) && value.kind == JSON_OBJECT && value.length == length;
}
