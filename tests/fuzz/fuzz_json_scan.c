/* Fuzzes the JSON scanner and compares it with jansson; what the scanner finds is written again, and read
 * again. The input is a JSON text. */
#include "io/decimal.h"
#include "io/json_scan.h"
#include "io/text.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/oracle.h"

static bool same_kind(enum json_kind kind, enum oracle_kind expected) {
  switch (kind) {
    case JSON_STRING:
      return expected == ORACLE_STRING;
    case JSON_INTEGER:
      return expected == ORACLE_INTEGER;
    case JSON_REAL:
      return expected == ORACLE_REAL;
    case JSON_NOT_FINITE:
      return false;
    case JSON_TRUE:
      return expected == ORACLE_TRUE;
    case JSON_FALSE:
      return expected == ORACLE_FALSE;
    case JSON_NULL:
      return expected == ORACLE_NULL;
    case JSON_ARRAY:
      return expected == ORACLE_ARRAY;
    case JSON_OBJECT:
      return expected == ORACLE_OBJECT;
  }
  return false;
}

/* Decodes a string, compares it with jansson's, and writes and reads it again. */
static void check_string(const struct json_value *value, const struct json_t *expected) {
  char *bytes = malloc((size_t)value->length + 1);
  REQUIRE(bytes);
  memcpy(bytes, value->bytes, (size_t)value->length);
  const int64_t length = json_string_decode(bytes, value->length);
  REQUIRE(length <= value->length && (value->escaped || length == value->length));
  REQUIRE(utf8_is_valid(bytes, length));
  if (expected) {
    size_t size;
    const char *string = oracle_string(expected, &size);
    REQUIRE((size_t)length == size && memcmp(bytes, string, size) == 0);
  }
  if (!memchr(bytes, '\0', (size_t)length)) {
    bytes[length] = '\0';
    REQUIRE(json_string_is(value, bytes));
  }
  struct text text = {0};
  struct json_scan scan;
  struct json_value again;
  text_append_json(&text, bytes, (size_t)length);
  REQUIRE(!text.failed);
  json_scan_start(&scan, text.bytes, (int64_t)text.size);
  REQUIRE(json_scan_string(&scan, &again) && scan.at == scan.end);
  const int64_t size = json_string_decode((char *)(uintptr_t)again.bytes, again.length);
  REQUIRE(size == length && memcmp(again.bytes, bytes, (size_t)size) == 0);
  text_free(&text);
  free(bytes);
}

/* Numbers that differ as doubles differ in the same direction as decimals. */
static void check_numbers(const struct json_value *a, const struct json_value *b) {
  char *first = string_of((const uint8_t *)a->bytes, (size_t)a->length);
  char *second = string_of((const uint8_t *)b->bytes, (size_t)b->length);
  const double x = strtod(first, NULL), y = strtod(second, NULL);
  const int order = decimal_compare(first, a->length, second, b->length);
  const int back = decimal_compare(second, b->length, first, a->length);
  REQUIRE((order > 0) - (order < 0) == (back < 0) - (back > 0));
  if (x < y) REQUIRE(order < 0);
  if (x > y) REQUIRE(order > 0);
  REQUIRE(decimal_compare(first, a->length, first, a->length) == 0);
  free(first);
  free(second);
}

static bool is_number(const struct json_value *value) {
  return value->kind == JSON_INTEGER || value->kind == JSON_REAL;
}

/* An array's neighbours that are numbers. */
static void check_array(const struct json_value *array) {
  struct json_scan scan;
  struct json_value last = {0}, value;
  json_scan_start(&scan, array->bytes, array->length);
  REQUIRE(json_scan_byte(&scan, '[', "") && json_scan_space(&scan));
  bool more = *scan.at != ']';
  for (bool first = true; more; first = false) {
    REQUIRE(json_scan_value(&scan, &value) && json_scan_space(&scan));
    if (!first && is_number(&last) && is_number(&value)) check_numbers(&last, &value);
    last = value;
    more = *scan.at == ',';
    if (more) REQUIRE(json_scan_byte(&scan, ',', "") && json_scan_space(&scan));
  }
}

static void check_object(const struct json_value *object, const struct json_t *expected) {
  struct json_scan scan;
  struct json_value name, value;
  bool more;
  size_t count = 0;
  json_scan_start(&scan, object->bytes, object->length);
  REQUIRE(json_scan_object(&scan, &more));
  while (more) {
    REQUIRE(json_scan_member(&scan, &name, &value, &more));
    if (!name.lone_surrogate) check_string(&name, NULL);
    count++;
  }
  REQUIRE(scan.at == scan.end);
  if (expected) REQUIRE(oracle_members(expected) <= count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = string_of(data, size);
  struct json_scan scan;
  struct json_value value;
  json_scan_start(&scan, text, (int64_t)size);
  const bool found = json_scan_space(&scan) && json_scan_value(&scan, &value);
  const bool whole = found && !json_scan_space(&scan) && !scan.problem;
  if (!found && scan.problem) {
    char reason[256] = "";
    json_scan_explain(&scan, reason);
    REQUIRE(*reason && memchr(reason, '\0', sizeof reason));
  }
  if (found) REQUIRE(value.bytes >= text && value.bytes + value.length <= text + size && value.length >= 0);
  struct json_t *expected = NULL;
  if (!scan.not_finite && !memchr(text, '\0', size)) {
    bool limit;
    expected = oracle_parse(text, size, &limit);
    if (whole) REQUIRE(expected ? same_kind(value.kind, oracle_kind_of(expected)) : limit);
    if (expected) REQUIRE(whole);
  }
  if (found && value.kind == JSON_STRING && !value.lone_surrogate) check_string(&value, expected);
  if (found && value.kind == JSON_ARRAY) check_array(&value);
  if (found && value.kind == JSON_OBJECT) check_object(&value, expected);
  oracle_free(expected);
  free(text);
  return 0;
}
