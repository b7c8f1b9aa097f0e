/* Optional fields that no document has, which usually means a mistyped --title-field or --keep-fields. */
#pragma once

#include "io/document.h"
#include "io/text.h"

struct missing_fields {
  const struct document_fields *fields; /* asked for */
  struct fields_there there;            /* in some document */
  int64_t documents;                    /* looked at; if there is none, none of its fields is missing */
};

/* Calls `visit` for each missing field, with the option that names it. */
typedef void missing_field_fn(void *context, const char *option, const char *name);
void missing_fields_visit(const struct missing_fields *missing, missing_field_fn *visit, void *context);

/* Appends a warning that names them, without an end; nothing if none is missing. */
void missing_fields_describe(const struct missing_fields *missing, struct text *sentence);
