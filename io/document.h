/* Turns one line of JSON (RFC 8259) into one document. Only the wanted fields are kept. Any other value is
 * checked and skipped without being built, whatever its type, size or depth, so an unknown field never
 * rejects a document. NaN and the infinities, as Python writes them, are values too. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/kept_fields.h"
#include "io/text.h"

/* Names of the fields (UTF-8). If `id` or `title` is NULL, the line's id or title is a field like any
 * other. */
struct document_fields {
  const char *text, *id, *title;
  const struct kept_fields *kept; /* NULL: none */
};

/* A stretch of UTF-8 bytes; may contain NULs. */
struct span {
  const char *bytes; /* NULL: not asked for, or missing */
  int64_t length;
};

/* The optional fields that a document has, or that some of many documents have. */
struct fields_there {
  bool title;    /* perhaps null */
  uint64_t kept; /* bit i: kept field i */
};

static inline void fields_there_add(struct fields_there *sum, struct fields_there one) {
  sum->title |= one.title;
  sum->kept |= one.kept;
}

struct document {
  struct span text;
  struct span title; /* absent if missing or null */
  struct span id;    /* the string, or an integer's digits */
  bool id_is_integer;
  struct fields_there there;
};

enum document_result { DOCUMENT_READ, DOCUMENT_BLANK, DOCUMENT_REJECTED };

/* Parses a line in place: escaped strings are decoded inside `line`, and the spans point into `line`, which
 * must outlive them. If a key appears twice, the last one counts, as in Python. A blank line (JSON white
 * space alone) is DOCUMENT_BLANK. DOCUMENT_REJECTED fills `reason` with a phrase for the reject record:
 * malformed JSON (with the byte, counted from 1), not an object, the text field missing or not a string, the
 * id missing or neither a string nor an integer, a title that is not a string, invalid UTF-8 anywhere in the
 * line, UTF-16, a lone surrogate escape in a wanted field, a kept field that JSON cannot hold
 * (io/kept_fields.h). The bytes of a rejected line are unchanged. */
enum document_result document_parse(const struct document_fields *fields, char *line, int64_t length,
                                    struct document *document, char reason[256]);

/* The same; of a document with fields->kept, also appends a line with the kept fields to *kept. */
enum document_result document_parse_keeping(const struct document_fields *fields, char *line, int64_t length,
                                            struct document *document, struct text *kept, char reason[256]);
