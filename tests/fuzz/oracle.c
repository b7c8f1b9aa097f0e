#include "tests/fuzz/oracle.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct json_t *oracle_parse(const char *text, size_t size, bool *limit) {
  json_error_t error;
  json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  *limit = false;
  if (value) return value;
  switch (json_error_code(&error)) {
    case json_error_numeric_overflow:
    case json_error_stack_overflow:
    case json_error_null_byte_in_key:
      *limit = true;
      break;
    default:
      *limit = strstr(error.text, "invalid Unicode") != NULL;
  }
  return NULL;
}

void oracle_free(struct json_t *value) {
  json_decref(value);
}

enum oracle_kind oracle_kind_of(const struct json_t *value) {
  switch (json_typeof(value)) {
    case JSON_STRING:
      return ORACLE_STRING;
    case JSON_INTEGER:
      return ORACLE_INTEGER;
    case JSON_REAL:
      return ORACLE_REAL;
    case JSON_TRUE:
      return ORACLE_TRUE;
    case JSON_FALSE:
      return ORACLE_FALSE;
    case JSON_NULL:
      return ORACLE_NULL;
    case JSON_ARRAY:
      return ORACLE_ARRAY;
    case JSON_OBJECT:
      return ORACLE_OBJECT;
  }
  abort();
}

size_t oracle_members(const struct json_t *value) {
  return json_object_size(value);
}

const struct json_t *oracle_member(const struct json_t *object, const char *name) {
  return json_object_get(object, name);
}

const char *oracle_string(const struct json_t *value, size_t *length) {
  *length = json_string_length(value);
  return json_string_value(value);
}

long long oracle_integer(const struct json_t *value) {
  return json_integer_value(value);
}
