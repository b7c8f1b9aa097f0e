#include "io/kept_values.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 160 /* bytes of a path in a reject record's phrase */

void kept_values_start(struct kept_values *values, const struct kept_fields *fields) {
  values->fields = fields;
  memset(values->there, 0, (size_t)fields->count * sizeof *values->there);
}

void kept_values_take(struct kept_values *values, const struct json_value *name,
                      const struct json_value *value) {
  for (int32_t i = 0; i < values->fields->count; i++) {
    if (!json_string_is(name, values->fields->field[i].name[0])) continue;
    values->there[i] = true;
    values->value[i] = *value;
  }
}

/* Replaces an object by its member `name`. *there: it has one. False if memory for the nesting is short; the
 * bytes have been scanned before, so nothing else can be wrong. */
static bool member_enter(struct json_value *value, const char *name, bool *there, struct json_scan *scan) {
  struct json_value key, member, found = {0};
  bool more;
  *there = false;
  if (value->kind != JSON_OBJECT) return true;
  json_scan_start(scan, value->bytes, value->length);
  if (!json_scan_object(scan, &more)) return false;
  while (more) {
    if (!json_scan_member(scan, &key, &member, &more)) return false;
    if (json_string_is(&key, name)) {
      *there = true;
      found = member;
    }
  }
  *value = found;
  return true;
}

/* The problem of a value as a phrase; NULL if it can be kept. *scan has what went wrong otherwise. */
static const char *value_problem(const struct json_value *value, struct json_scan *scan) {
  struct json_value again;
  const bool nested = value->kind == JSON_ARRAY || value->kind == JSON_OBJECT;
  if (value->kind == JSON_NOT_FINITE) return " cannot be kept: it is no JSON number, but NaN or infinite";
  if (value->kind == JSON_STRING && value->lone_surrogate)
    return " has a lone surrogate escape, which is not a character";
  if (!nested) return NULL;
  json_scan_start(scan, value->bytes, value->length);
  if (!json_scan_value(scan, &again)) return NULL;
  if (scan->not_finite) return " cannot be kept: a value inside is no JSON number, but NaN or infinite";
  return scan->lone_surrogate ? " has a lone surrogate escape inside, which is not a character" : NULL;
}

static bool field_reject(const char *path, const char *problem, char reason[256]) {
  const size_t shown = text_cut(path, strlen(path), SHOWN);
  snprintf(reason, 256, "field \"%.*s\"%s", (int)shown, path, problem);
  return false;
}

bool kept_values_finish(struct kept_values *values, char reason[256]) {
  struct json_scan scan = {0};
  for (int32_t i = 0; i < values->fields->count; i++) {
    const struct kept_field *field = &values->fields->field[i];
    bool ok = true;
    for (int32_t d = 1; ok && d < field->depth && values->there[i]; d++)
      ok = member_enter(&values->value[i], field->name[d], &values->there[i], &scan);
    const char *problem = ok && values->there[i] ? value_problem(&values->value[i], &scan) : NULL;
    if (problem) return field_reject(field->path, problem, reason);
    if (!scan.problem) continue;
    json_scan_explain(&scan, reason);
    return false;
  }
  return true;
}

uint64_t kept_values_there(const struct kept_values *values) {
  uint64_t there = 0;
  for (int32_t i = 0; i < values->fields->count; i++) there |= (uint64_t)values->there[i] << i;
  return there;
}

void kept_values_append(const struct kept_values *values, struct text *text) {
  bool first = true;
  text_append_string(text, "{");
  for (int32_t i = 0; i < values->fields->count; i++) {
    const struct json_value *value = &values->value[i];
    const char *path = values->fields->field[i].path;
    if (!values->there[i]) continue;
    if (!first) text_append_string(text, ",");
    first = false;
    text_append_json(text, path, strlen(path));
    text_append_string(text, ":");
    const int quotes = value->kind == JSON_STRING;
    text_append(text, value->bytes - quotes, (size_t)value->length + 2 * (size_t)quotes);
  }
  text_append_string(text, "}\n");
}
