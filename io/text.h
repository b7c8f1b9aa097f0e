/* A growing run of text, for the JSON lines that a run writes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed struct text is an empty one. Once memory has run short, `failed` stays set and appends do nothing:
 * check it once, at the end. */
struct text {
  char *bytes; /* not NUL-terminated */
  size_t size, capacity;
  bool failed;
};

void text_append(struct text *text, const char *bytes, size_t size);
void text_append_string(struct text *text, const char *string);
void text_append_integer(struct text *text, int64_t number);

/* A JSON string with its quotes. `bytes` is valid UTF-8 and may hold NULs; only what JSON forbids raw is
 * escaped. */
void text_append_json(struct text *text, const char *bytes, size_t size);

/* Empties the text; a buffer of more than `keep` bytes is given back. */
void text_clear(struct text *text, size_t keep);

void text_free(struct text *text);

/* Unicode code points of valid UTF-8: what Python's len() gives. */
int64_t text_characters(const char *bytes, int64_t size);

/* The byte order mark that may open a text, U+FEFF in UTF-8: its length where `bytes` begin with it, else 0.
 */
#define TEXT_MARK_BYTES 3
size_t text_mark(const char *bytes, size_t size);
