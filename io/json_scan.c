#include "io/json_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define INVALID_UTF8 "invalid UTF-8"
#define NO_MEMORY "out of memory for the nesting of its values"

void json_scan_start(struct json_scan *scan, const char *bytes, int64_t length) {
  *scan = (struct json_scan){.start = bytes, .at = bytes, .end = bytes + length};
}

static bool scan_fail(struct json_scan *scan, const char *at, const char *problem) {
  scan->at = at;
  scan->problem = problem;
  return false;
}

bool json_scan_object(struct json_scan *scan, bool *more) {
  if (!json_scan_byte(scan, '{', "expected '{'")) return false;
  *more = !json_scan_space(scan) || *scan->at != '}';
  return *more || json_scan_byte(scan, '}', NULL);
}

bool json_scan_member(struct json_scan *scan, struct json_value *name, struct json_value *value, bool *more) {
  if (!json_scan_name(scan, name) || !json_scan_value(scan, value)) return false;
  *more = !json_scan_space(scan) || *scan->at != '}';
  if (!json_scan_byte(scan, *more ? ',' : '}', "expected ',' or '}'")) return false;
  if (*more) json_scan_space(scan);
  return true;
}

void json_scan_explain(const struct json_scan *scan, char reason[256]) {
  const long long byte = scan->at - scan->start + 1;
  const bool grammar = strcmp(scan->problem, INVALID_UTF8) != 0 && strcmp(scan->problem, NO_MEMORY) != 0;
  if (grammar) {
    snprintf(reason, 256, "malformed JSON at byte %lld: %s", byte, scan->problem);
  } else {
    snprintf(reason, 256, "%s at byte %lld", scan->problem, byte);
  }
}

bool json_scan_space(struct json_scan *scan) {
  const char *at = scan->at;
  while (at < scan->end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
  scan->at = at;
  return at < scan->end;
}

bool json_scan_byte(struct json_scan *scan, char byte, const char *problem) {
  if (scan->at == scan->end || *scan->at != byte) return scan_fail(scan, scan->at, problem);
  scan->at++;
  return true;
}

/* The first byte that needs a closer look in a string: a quote, a backslash, a control character, or not
 * ASCII. */
static const char *plain_end(const char *at, const char *end) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)at);
    const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
    /* Signed: bytes from 0x80 on are below a space too. */
    const int found = _mm_movemask_epi8(_mm_or_si128(marks, _mm_cmplt_epi8(bytes, space)));
    if (found) return at + __builtin_ctz((unsigned)found);
  }
#else
  /* Eight bytes at once: if a byte was zero, its high bit is set in x - 0x01… (also for a byte that follows a
   * zero byte, which is harmless). */
  const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  for (; end - at >= 8; at += 8) {
    uint64_t bytes;
    memcpy(&bytes, at, 8);
    const uint64_t quote = bytes ^ (ones * '"'), backslash = bytes ^ (ones * '\\');
    if ((bytes | (quote - ones) | (backslash - ones) | (bytes - ones * ' ')) & high) break;
  }
#endif
  while (at < end && *at != '"' && *at != '\\' && (signed char)*at >= ' ') at++;
  return at;
}

/* Length of the UTF-8 character that begins here with a byte from 0x80 on; 0 if the bytes are not UTF-8 (RFC
 * 3629, section 4: no overlong forms, no surrogates, nothing past U+10FFFF). */
static int utf8_length(const char *text, const char *end) {
  const unsigned char *at = (const unsigned char *)text;
  const int64_t room = end - text;
  const unsigned char first = at[0];
  if (first < 0xc2 || first > 0xf4 || room < 2) return 0;
  if (first < 0xe0) return (at[1] & 0xc0) == 0x80 ? 2 : 0;
  /* After four of the first bytes, the second byte's range is narrower. */
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char top = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (at[1] < low || at[1] > top || room < 3 || (at[2] & 0xc0) != 0x80) return 0;
  if (first < 0xf0) return 3;
  return room >= 4 && (at[3] & 0xc0) == 0x80 ? 4 : 0;
}

bool utf8_is_valid(const char *bytes, int64_t length) {
  const char *const end = bytes + length;
  while (bytes < end) {
    const int size = (signed char)*bytes >= 0 ? 1 : utf8_length(bytes, end);
    if (size == 0) return false;
    bytes += size;
  }
  return true;
}

static int hex_digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

/* The number in "\uXXXX", or -1. */
static int32_t escape_unit(const char *at, const char *end) {
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
  int32_t unit = 0;
  for (int i = 2; i < 6; i++) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

static bool is_surrogate(int32_t code) {
  return code >= 0xd800 && code <= 0xdfff;
}

/* Reads the escape that begins at a backslash. *code is the code point; a lone surrogate stays as it is.
 * Returns the escape's length in bytes, 0 if there is no valid escape. */
static int escape_read(const char *at, const char *end, int32_t *code) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  if (end - at < 2) return 0;
  if (at[1] != 'u') {
    const char *name = at[1] ? strchr(names, at[1]) : NULL;
    if (!name) return 0;
    *code = values[name - names];
    return 2;
  }
  const int32_t unit = escape_unit(at, end);
  if (unit < 0) return 0;
  *code = unit;
  if (unit < 0xd800 || unit > 0xdbff) return 6;
  const int32_t low = escape_unit(at + 6, end);
  if (low < 0xdc00 || low > 0xdfff) return 6;
  *code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  return 12;
}

bool json_scan_string(struct json_scan *scan, struct json_value *value) {
  if (!json_scan_byte(scan, '"', "expected a string in double quotes")) return false;
  *value = (struct json_value){.kind = JSON_STRING, .bytes = scan->at};
  const char *at = scan->at, *const end = scan->end;
  for (;;) {
    at = plain_end(at, end);
    if (at == end) return scan_fail(scan, at, "the line ends inside a string");
    if (*at == '"') break;
    if (*at == '\\') {
      int32_t code = 0;
      const int length = escape_read(at, end, &code);
      if (length == 0) return scan_fail(scan, at, "no such escape in a string");
      value->escaped = true;
      if (is_surrogate(code)) value->lone_surrogate = scan->lone_surrogate = true;
      at += length;
    } else if ((unsigned char)*at < ' ') {
      return scan_fail(scan, at, "a control character in a string must be escaped");
    } else {
      do {
        const int length = utf8_length(at, end);
        if (length == 0) return scan_fail(scan, at, INVALID_UTF8);
        at += length;
      } while (at < end && (signed char)*at < 0);
    }
  }
  value->length = at - value->bytes;
  scan->at = at + 1;
  return true;
}

bool json_scan_name(struct json_scan *scan, struct json_value *name) {
  if (!json_scan_string(scan, name)) return false;
  json_scan_space(scan);
  if (!json_scan_byte(scan, ':', "expected ':'")) return false;
  json_scan_space(scan);
  return true;
}

static const char *digits_end(const char *at, const char *end) {
  while (at < end && *at >= '0' && *at <= '9') at++;
  return at;
}

static bool scan_number(struct json_scan *scan, struct json_value *value) {
  const char *const end = scan->end;
  const char *at = scan->at;
  *value = (struct json_value){.kind = JSON_INTEGER, .bytes = at};
  if (*at == '-') at++;
  const char *next = at < end && *at == '0' ? at + 1 : digits_end(at, end);
  if (next == at) return scan_fail(scan, at, "expected a digit");
  at = next;
  if (at < end && *at == '.') {
    value->kind = JSON_REAL;
    next = digits_end(++at, end);
    if (next == at) return scan_fail(scan, at, "expected a digit");
    at = next;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    value->kind = JSON_REAL;
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    next = digits_end(at, end);
    if (next == at) return scan_fail(scan, at, "expected a digit");
    at = next;
  }
  value->length = at - value->bytes;
  scan->at = at;
  return true;
}

static bool scan_word(struct json_scan *scan, const char *word, enum json_kind kind,
                      struct json_value *value) {
  const int64_t length = (int64_t)strlen(word);
  if (scan->end - scan->at < length || memcmp(scan->at, word, (size_t)length) != 0)
    return scan_fail(scan, scan->at, "expected a value");
  *value = (struct json_value){.kind = kind, .bytes = scan->at, .length = length};
  scan->at += length;
  scan->not_finite |= kind == JSON_NOT_FINITE;
  return true;
}

/* Any value except an array or an object. */
static bool scan_scalar(struct json_scan *scan, struct json_value *value) {
  if (scan->at == scan->end) return scan_fail(scan, scan->at, "expected a value");
  switch (*scan->at) {
    case '"':
      return json_scan_string(scan, value);
    case 't':
      return scan_word(scan, "true", JSON_TRUE, value);
    case 'f':
      return scan_word(scan, "false", JSON_FALSE, value);
    case 'n':
      return scan_word(scan, "null", JSON_NULL, value);
    case 'N':
      return scan_word(scan, "NaN", JSON_NOT_FINITE, value);
    case 'I':
      return scan_word(scan, "Infinity", JSON_NOT_FINITE, value);
    case '-':
      if (scan->end - scan->at > 1 && scan->at[1] == 'I')
        return scan_word(scan, "-Infinity", JSON_NOT_FINITE, value);
      return scan_number(scan, value);
    default:
      if (*scan->at >= '0' && *scan->at <= '9') return scan_number(scan, value);
      return scan_fail(scan, scan->at, "expected a value");
  }
}

/* One bit for each open array or object; if set, it is an object. No honest line is nested so deeply that the
 * bits need allocated memory. */
#define NESTING_WORDS 64

struct nesting {
  uint64_t *bits;
  uint64_t *allocated;
  size_t depth, words;
  uint64_t first[NESTING_WORDS];
};

static bool nesting_push(struct nesting *nesting, bool object) {
  const size_t word = nesting->depth / 64;
  if (word == nesting->words) {
    uint64_t *bits = realloc(nesting->allocated, nesting->words * 2 * sizeof *bits);
    if (!bits) return false;
    if (!nesting->allocated) memcpy(bits, nesting->first, sizeof nesting->first);
    nesting->bits = nesting->allocated = bits;
    nesting->words *= 2;
  }
  const uint64_t bit = (uint64_t)1 << nesting->depth % 64;
  nesting->bits[word] = object ? nesting->bits[word] | bit : nesting->bits[word] & ~bit;
  nesting->depth++;
  return true;
}

static bool nesting_in_object(const struct nesting *nesting) {
  const size_t last = nesting->depth - 1;
  return nesting->bits[last / 64] >> last % 64 & 1;
}

/* Opens the array or object that begins here, and any that begin directly inside; then scans the first other
 * value. If an array or object is empty, closes it again. */
static bool scan_open(struct json_scan *scan, struct nesting *nesting) {
  struct json_value value;
  while (scan->at < scan->end && (*scan->at == '{' || *scan->at == '[')) {
    const bool object = *scan->at == '{';
    if (!nesting_push(nesting, object)) return scan_fail(scan, scan->at, NO_MEMORY);
    scan->at++;
    if (json_scan_space(scan) && *scan->at == (object ? '}' : ']')) {
      scan->at++;
      nesting->depth--;
      return true;
    }
    if (object && !json_scan_name(scan, &value)) return false;
  }
  return scan_scalar(scan, &value);
}

/* After a value: closes the arrays and objects that end here. *more: another value follows, and begins
 * here. */
static bool scan_close(struct json_scan *scan, struct nesting *nesting, bool *more) {
  *more = false;
  while (nesting->depth > 0) {
    const bool object = nesting_in_object(nesting);
    json_scan_space(scan);
    if (scan->at < scan->end && *scan->at == (object ? '}' : ']')) {
      scan->at++;
      nesting->depth--;
      continue;
    }
    if (!json_scan_byte(scan, ',', object ? "expected ',' or '}'" : "expected ',' or ']'")) return false;
    json_scan_space(scan);
    struct json_value name;
    *more = true;
    return !object || json_scan_name(scan, &name);
  }
  return true;
}

static bool scan_nested(struct json_scan *scan, struct json_value *value) {
  struct nesting nesting; /* not cleared: every bit is written before it is read */
  nesting.bits = nesting.first;
  nesting.allocated = NULL;
  nesting.depth = 0;
  nesting.words = NESTING_WORDS;
  *value = (struct json_value){.kind = *scan->at == '{' ? JSON_OBJECT : JSON_ARRAY, .bytes = scan->at};
  bool more = true, fine = true;
  while (fine && more) fine = scan_open(scan, &nesting) && scan_close(scan, &nesting, &more);
  value->length = scan->at - value->bytes;
  free(nesting.allocated);
  return fine;
}

bool json_scan_value(struct json_scan *scan, struct json_value *value) {
  if (scan->at < scan->end && (*scan->at == '{' || *scan->at == '[')) return scan_nested(scan, value);
  return scan_scalar(scan, value);
}

static int utf8_write(char *to, int32_t code) {
  if (code < 0x80) {
    to[0] = (char)code;
    return 1;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
  to[0] = (char)(lead[more] | code >> 6 * more);
  for (int i = 1; i <= more; i++) to[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
  return more + 1;
}

bool json_string_is(const struct json_value *string, const char *name) {
  const size_t length = strlen(name);
  if (!string->escaped) return (size_t)string->length == length && memcmp(string->bytes, name, length) == 0;
  const char *at = string->bytes, *const end = at + string->length;
  size_t matched = 0;
  while (at < end) {
    char character[4] = {*at};
    int size = 1, taken = 1;
    if (*at == '\\') {
      int32_t code = 0;
      taken = escape_read(at, end, &code);
      size = utf8_write(character, code);
    }
    if (length - matched < (size_t)size || memcmp(name + matched, character, (size_t)size) != 0) return false;
    matched += (size_t)size;
    at += taken;
  }
  return matched == length;
}

int64_t json_string_decode(char *bytes, int64_t length) {
  const char *from = bytes, *const end = bytes + length;
  char *to = bytes;
  while (from < end) {
    const char *escape = memchr(from, '\\', (size_t)(end - from));
    const size_t run = (size_t)((escape ? escape : end) - from);
    memmove(to, from, run);
    to += run;
    from += run;
    if (!escape) break;
    int32_t code = 0;
    from += escape_read(from, end, &code);
    to += utf8_write(to, code);
  }
  return to - bytes;
}
