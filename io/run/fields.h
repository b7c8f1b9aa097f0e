/* The members of a struct as the members of a JSON object. A table names each key, once: by it the struct is
 * written, read, copied, compared and freed. Private to what a manifest and a record say. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "io/difference.h"
#include "io/error.h"
#include "io/json_text.h"

enum field_kind {
  FIELD_STRING, /* char *, owned; NULL is null */
  FIELD_TEXT,   /* char[size]; an empty one is not written */
  FIELD_NUMBER, /* int32_t, from 0 */
  FIELD_OPTION, /* the same; 0 is not written */
  FIELD_COUNT,  /* int64_t, from 0 to FIELD_COUNT_MAX */
  FIELD_SUM,    /* int64_t */
  FIELD_FLAG,   /* bool */
  FIELD_WIDTHS, /* struct width_list (io/run/layout.h): 1 to WIDTHS_MAX falling numbers */
};

/* The largest integer that every reader of JSON keeps exact; the sum of two never overflows. */
#define FIELD_COUNT_MAX (1ll << 53)

struct field {
  const char *key;
  enum field_kind kind;
  bool required; /* an object without it is refused; otherwise what is missing means 0, false, or: */
  size_t offset, size;
  const char *fallback; /* of a FIELD_STRING; NULL: null */
};

struct field_table {
  const struct field *field;
  size_t count;
};

#define FIELD_TABLE(array) \
  { array, sizeof(array) / sizeof *(array) }
#define FIELD(name, form, type, member) \
  .key = (name), .kind = (form), .offset = offsetof(type, member), .size = sizeof((type *)0)->member

/* Adds the members to the object that is open. */
void fields_write(const struct field_table *table, const void *from, struct json_text *json);

/* Fills a zeroed struct, which is to be freed then also if this fails. ERROR_INPUT, with the member's name
 * after `path`, if one is missing, is not of its kind, or (`closed`) is not in the table: a newer version
 * wrote that, and it may mean anything. */
bool fields_read(const struct field_table *table, const char *path, bool closed, const json_t *object,
                 void *to, struct error *error);

bool fields_copy(const struct field_table *table, const void *from, void *to, struct error *error);
void fields_free(const struct field_table *table, void *owner);

/* Adds what differs, each member as `path.key`. False when memory is short. */
bool fields_compare(const struct field_table *table, const char *path, const void *then, const void *now,
                    struct difference *difference);

/* Calls `visit` for every member that would be written, with its value as JSON. False when memory is short.
 */
typedef void field_fn(void *context, const char *key, const char *value);
bool fields_visit(const struct field_table *table, const void *owner, field_fn *visit, void *context);
