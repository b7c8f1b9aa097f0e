/* The members of a struct as the members of a JSON object. A table names each key once; the functions use the
 * table to write, read, copy, compare and free the struct. Private to the manifest and the record. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "io/difference.h"
#include "io/error.h"
#include "io/json_text.h"

enum field_kind {
  FIELD_STRING, /* char *, owned; NULL is null */
  FIELD_TEXT,   /* char[size]; not written if empty */
  FIELD_NUMBER, /* int32_t, from 0 */
  FIELD_OPTION, /* int32_t, from 0; not written if 0 */
  FIELD_COUNT,  /* int64_t, from 0 to FIELD_COUNT_MAX */
  FIELD_RARE,   /* the same; not written if 0 */
  FIELD_SUM,    /* int64_t */
  FIELD_FLAG,   /* bool */
  FIELD_WIDTHS, /* struct width_list (io/run/layout.h): 1 to WIDTHS_MAX falling numbers up to WIDTH_MAX */
};

/* The largest integer that every JSON reader keeps exact; the sum of two never overflows. */
#define FIELD_COUNT_MAX (1ll << 53)

struct field {
  const char *key;
  enum field_kind kind;
  bool required; /* an object without it is refused; otherwise a missing member means 0, false, or
                    `fallback` */
  size_t offset, size;
  const char *fallback; /* for a FIELD_STRING; NULL: null */
};

struct field_table {
  const struct field *field;
  size_t count;
};

#define FIELD_TABLE(array) \
  { array, sizeof(array) / sizeof *(array) }
#define FIELD(name, form, type, member) \
  .key = (name), .kind = (form), .offset = offsetof(type, member), .size = sizeof((type *)0)->member

/* Adds the members to the open object. */
void fields_write(const struct field_table *table, const void *from, struct json_text *json);

/* Fills a zeroed struct; free it even if this fails. ERROR_INPUT, with `path` and the member's name, if a
 * member is missing, or has the wrong kind, or (if `closed`) is not in the table. A member outside the table
 * comes from a newer version, and its meaning is not known. */
bool fields_read(const struct field_table *table, const char *path, bool closed, const json_t *object,
                 void *to, struct error *error);

bool fields_copy(const struct field_table *table, const void *from, void *to, struct error *error);
void fields_free(const struct field_table *table, void *owner);

/* Adds each difference as `path.key`. False if memory is short. */
bool fields_compare(const struct field_table *table, const char *path, const void *then, const void *now,
                    struct difference *difference);

/* Calls `visit` for every member that would be written, with the value as JSON. False if memory is short. */
typedef void field_fn(void *context, const char *key, const char *value);
bool fields_visit(const struct field_table *table, const void *owner, field_fn *visit, void *context);
