/* A scanner of JSON (RFC 8259) over bytes in memory: it checks and finds, and builds nothing. Strings must be
 * valid UTF-8 (RFC 3629). Any depth of nesting, any length of number and lone surrogates in \u escapes are
 * accepted. So are NaN, Infinity and -Infinity, which are not JSON but which Python's json module writes;
 * anything else outside the RFC is wrong.
 *
 * The scanning functions return false once the text is found to be wrong; json_scan_explain then says what
 * is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct json_scan {
  const char *start, *at, *end;
  const char *problem; /* NULL while all is well */
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

/* Where a value stands in the scanned bytes. */
struct json_value {
  enum json_kind kind;
  bool escaped;        /* a string with escapes in it */
  bool lone_surrogate; /* a string with an escape that is half of a surrogate pair: it has no UTF-8 */
  const char *bytes;   /* of a string: what is between the quotes, escapes as they are */
  int64_t length;
};

void json_scan_start(struct json_scan *scan, const char *bytes, int64_t length);

/* Passes over white space (space, tab, LF, CR); returns false at the end of the bytes. */
bool json_scan_space(struct json_scan *scan);

/* Passes over `byte`, which must be the next one; `problem` is a constant phrase for the case that it is not.
 */
bool json_scan_byte(struct json_scan *scan, char byte, const char *problem);

/* Scans a string, which must begin here. */
bool json_scan_string(struct json_scan *scan, struct json_value *value);

/* Scans a member's name and colon, with the white space after each. */
bool json_scan_name(struct json_scan *scan, struct json_value *name);

/* Scans a value of any kind, which must begin here. */
bool json_scan_value(struct json_scan *scan, struct json_value *value);

/* Writes the problem as a phrase: "malformed JSON at byte 17: expected ',' or '}'" (bytes count from 1). */
void json_scan_explain(const struct json_scan *scan, char reason[256]);

/* Whether a scanned string, once decoded, equals `name`. */
bool json_string_is(const struct json_value *string, const char *name);

/* Decodes the escapes of a scanned string without lone surrogates, in place. Returns its new length. */
int64_t json_string_decode(char *bytes, int64_t length);

/* Whether bytes are UTF-8 as RFC 3629 has it. */
bool utf8_is_valid(const char *bytes, int64_t length);
