/* A scanner for JSON (RFC 8259) in memory: it checks and finds values, and builds nothing. Strings must be
 * valid UTF-8 (RFC 3629). Any depth of nesting, any length of number and lone surrogates in \u escapes are
 * accepted. NaN, Infinity and -Infinity are accepted too: they are not JSON, but Python's json module writes
 * them. Anything else outside the RFC is wrong.
 *
 * A scanning function returns false when it finds the text wrong; json_scan_explain then gives the
 * problem. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct json_scan {
  const char *start, *at, *end;
  const char *problem; /* NULL if no problem was found */
  bool not_finite;     /* a value so far, at any depth, is NaN or infinite */
  bool lone_surrogate; /* a string so far, at any depth, has a lone surrogate */
};

enum json_kind {
  JSON_STRING,
  JSON_INTEGER, /* a number without fraction and exponent */
  JSON_REAL,
  JSON_NOT_FINITE, /* NaN, Infinity or -Infinity */
  JSON_TRUE,
  JSON_FALSE,
  JSON_NULL,
  JSON_ARRAY,
  JSON_OBJECT,
};

/* The place of a value in the scanned bytes. A string with a lone surrogate (an escape that is half of a
 * pair) has no UTF-8. */
struct json_value {
  enum json_kind kind;
  bool escaped;        /* a string with escapes */
  bool lone_surrogate; /* a string with a lone surrogate */
  const char *bytes;   /* for a string: the bytes between the quotes, not decoded */
  int64_t length;
};

void json_scan_start(struct json_scan *scan, const char *bytes, int64_t length);

/* Skips white space (space, tab, LF, CR); returns false at the end of the bytes. */
bool json_scan_space(struct json_scan *scan);

/* Skips `byte`, which must be next; if it is not, `problem` (a constant phrase) is the problem. */
bool json_scan_byte(struct json_scan *scan, char byte, const char *problem);

/* Scans a string, which must begin here. */
bool json_scan_string(struct json_scan *scan, struct json_value *value);

/* Scans a member's name and colon, and the white space after each. */
bool json_scan_name(struct json_scan *scan, struct json_value *name);

/* Scans a value of any kind, which must begin here. */
bool json_scan_value(struct json_scan *scan, struct json_value *value);

/* Scans an object's beginning. *more: a member follows; otherwise the object has ended. Then, as long as
 * there are more, json_scan_member scans a member and what ends it. Neither scans white space after the
 * object. */
bool json_scan_object(struct json_scan *scan, bool *more);
bool json_scan_member(struct json_scan *scan, struct json_value *name, struct json_value *value, bool *more);

/* Writes the problem as a phrase: "malformed JSON at byte 17: expected ',' or '}'" (bytes count from 1). */
void json_scan_explain(const struct json_scan *scan, char reason[256]);

/* True if a scanned string, once decoded, equals `name`. */
bool json_string_is(const struct json_value *string, const char *name);

/* Decodes a scanned string's escapes in place; the string has no lone surrogates. Returns the new length. */
int64_t json_string_decode(char *bytes, int64_t length);

/* True if the bytes are valid UTF-8 (RFC 3629). */
bool utf8_is_valid(const char *bytes, int64_t length);
