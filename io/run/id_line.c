#include "io/run/id_line.h"

#include <stddef.h>

#include "io/json_scan.h"

#define DIGITS_MAX 18 /* any number with so few digits fits in 64 bits */

static bool member_number(const struct json_value *value, int64_t *number) {
  if (value->kind != JSON_INTEGER || value->length > DIGITS_MAX || *value->bytes == '-') return false;
  *number = 0;
  for (int64_t i = 0; i < value->length; i++) *number = 10 * *number + (value->bytes[i] - '0');
  return true;
}

static bool member_small(const struct json_value *value, int32_t *number) {
  int64_t large;
  if (!member_number(value, &large) || large > INT32_MAX) return false;
  *number = (int32_t)large;
  return true;
}

/* Takes one member; an unknown one is skipped. */
static bool id_line_member(const struct json_value *name, const struct json_value *value,
                           struct id_line *parsed) {
  if (json_string_is(name, "id")) {
    if (value->kind != JSON_INTEGER && (value->kind != JSON_STRING || value->lone_surrogate)) return false;
    parsed->id_is_integer = value->kind == JSON_INTEGER;
    parsed->id = (char *)(uintptr_t)value->bytes;
    parsed->id_length = value->escaped ? json_string_decode(parsed->id, value->length) : value->length;
    return true;
  }
  if (json_string_is(name, "line")) return member_number(value, &parsed->line);
  if (json_string_is(name, "offset")) return member_number(value, &parsed->offset);
  if (json_string_is(name, "shard")) return member_small(value, &parsed->shard);
  if (json_string_is(name, "tokens")) return member_small(value, &parsed->tokens);
  if (json_string_is(name, "start")) return member_number(value, &parsed->start);
  if (json_string_is(name, "end")) return member_number(value, &parsed->end);
  if (json_string_is(name, "chunk")) {
    parsed->is_chunk = true;
    return member_small(value, &parsed->chunk);
  }
  if (!json_string_is(name, "truncated")) return true;
  parsed->truncated = value->kind == JSON_TRUE;
  return value->kind == JSON_TRUE || value->kind == JSON_FALSE;
}

bool id_line_parse(char *line, int64_t length, struct id_line *parsed) {
  struct json_scan scan;
  struct json_value name, value;
  *parsed = (struct id_line){0};
  json_scan_start(&scan, line, length);
  if (!json_scan_space(&scan) || !json_scan_byte(&scan, '{', "expected '{'")) return false;
  for (;;) {
    if (!json_scan_space(&scan) || !json_scan_name(&scan, &name) || !json_scan_value(&scan, &value) ||
        !json_scan_space(&scan) || !id_line_member(&name, &value, parsed))
      return false;
    if (*scan.at == '}')
      return parsed->id && json_scan_byte(&scan, '}', "expected '}'") && !json_scan_space(&scan);
    if (!json_scan_byte(&scan, ',', "expected ','")) return false;
  }
}
