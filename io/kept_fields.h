/* The fields of a document that a run keeps beside its vectors (--keep-fields).
 *
 * A list of paths with commas between: "url,meta.department". A path leads from the document's object through
 * objects inside it to a field; arrays are not entered. Blanks around a name do not count in an option; in a
 * manifest they do. A backslash before a comma, a dot, a blank or a backslash makes that byte a part of the
 * name: "a\.b" is the one field "a.b". Names are compared with decoded keys, so the key "t\u00edtol" is the
 * name "títol". */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define KEPT_FIELDS_MAX 64

struct kept_field {
  const char *path;  /* as in the list, without blanks that do not count */
  const char **name; /* [depth], from the outside in */
  int32_t depth;
};

/* A zeroed struct is an empty list. */
struct kept_fields {
  struct kept_field field[KEPT_FIELDS_MAX];
  int32_t count;
  char *list; /* the paths, with commas between */
  char *paths, *bytes;
  const char **names; /* what the fields point to */
};

/* Parses the list of an option; free it even if this fails. ERROR_USAGE if a name is empty, if a path stands
 * twice or lies inside another one, if the list is not UTF-8, or if it is too long. */
bool kept_fields_parse(const char *list, struct kept_fields *kept, struct error *error);

/* The same for a manifest's list, whose blanks count: an older nina took "date, url" for the fields "date"
 * and " url". Today's lists have no blanks around names, so this reads them too. kept->list is `list`. */
bool kept_fields_parse_recorded(const char *list, struct kept_fields *kept, struct error *error);
void kept_fields_free(struct kept_fields *kept);

/* True if a line of fields/ is what it should be: a JSON object and no more. */
bool kept_line_check(const char *line, int64_t length);
