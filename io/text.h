/* A growing text, for the JSON lines that a run writes; and formatted strings. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed struct text is an empty text. If memory runs short, `failed` stays set and appends do nothing:
 * check it once, at the end. */
struct text {
  char *bytes; /* not NUL-terminated */
  size_t size, capacity;
  bool failed;
};

void text_append(struct text *text, const char *bytes, size_t size);
void text_append_string(struct text *text, const char *string);
void text_append_integer(struct text *text, int64_t number);

/* Appends a JSON string with its quotes. `bytes` is valid UTF-8 and may contain NULs; only bytes that JSON
 * forbids raw are escaped. */
void text_append_json(struct text *text, const char *bytes, size_t size);

/* Bytes that text_append_json appends for these. */
size_t text_json_size(const char *bytes, size_t size);

/* Empties the text; if the buffer has more than `keep` bytes, it is freed. */
void text_clear(struct text *text, size_t keep);

void text_free(struct text *text);

/* A new string (caller frees) as printf would write it, or NULL if memory is short or the format cannot be
 * written. Used instead of asprintf: if memory runs out, asprintf of glibc 2.36 writes one byte past a
 * buffer of 100 bytes. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_format_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Number of Unicode code points in valid UTF-8, as Python's len() counts. */
int64_t text_characters(const char *bytes, int64_t size);

/* How many of the `size` bytes of valid UTF-8 to show: at most `most`, and whole characters. */
size_t text_cut(const char *bytes, size_t size, size_t most);

/* The byte order mark that may open a text, U+FEFF in UTF-8. Gives the mark's length if `bytes` begin with
 * it, else 0. */
#define TEXT_MARK_BYTES 3
size_t text_mark(const char *bytes, size_t size);
