/* One line of JSON (RFC 8259) to one document: only the fields asked for are kept, any other value is checked
 * and passed over without being built, whatever its type, size or depth, so that an unknown field never
 * rejects a document. NaN and the infinities, as Python writes them, are values too. */
#pragma once

#include <stdint.h>

#include "io/error.h"

/* Names of the fields (UTF-8). `id` and `title` may be NULL: then they are fields like any other. */
struct document_fields {
  const char *text, *id, *title;
};

/* A stretch of UTF-8 bytes; NULs are allowed inside it. */
struct span {
  const char *bytes; /* NULL: the field was not asked for or not there */
  int64_t length;
};

struct document {
  struct span text;
  struct span title; /* a missing or null title is an absent one */
  struct span id;    /* the string, or the digits of an integer */
  bool id_is_integer;
};

enum document_result { DOCUMENT_READ, DOCUMENT_BLANK, DOCUMENT_REJECTED };

/* Parses a line in place: strings with escapes are decoded where they stand, and the spans point into `line`,
 * which must outlive them. Of duplicate keys the last one counts, as in Python. A blank line (JSON white
 * space alone) is DOCUMENT_BLANK. DOCUMENT_REJECTED fills `reason` with a phrase for the reject record:
 * malformed JSON (with the byte, counted from 1), not an object, the text field missing or not a string, the
 * id missing or neither a string nor an integer, a title that is not a string, invalid UTF-8 anywhere
 * in the line, UTF-16, a lone surrogate escape in a field that is needed. The bytes of a rejected line are
 * unchanged. */
enum document_result document_parse(const struct document_fields *fields, char *line, int64_t length,
                                    struct document *document, char reason[256]);
