#include "io/field_condition.h"

#include <string.h>

#include "io/decimal.h"
#include "io/json_scan.h"

#define OPTION "--where"

/* A longer operator stands before its beginning. */
static const struct {
  const char *spelling;
  enum field_operator relation;
} operators[] = {{"!=", FIELD_DIFFERENT}, {"<=", FIELD_LESS_EQUAL}, {">=", FIELD_GREATER_EQUAL},
                 {"=", FIELD_EQUAL},      {"<", FIELD_LESS},        {">", FIELD_GREATER}};

/* Takes the operator that begins at `at`; returns what follows it, or NULL. */
static const char *operator_take(const char *at, enum field_operator *relation) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    const size_t length = strlen(operators[i].spelling);
    if (strncmp(at, operators[i].spelling, length) != 0) continue;
    *relation = operators[i].relation;
    return at + length;
  }
  return NULL;
}

/* A condition names the longest kept field that an operator follows (a name may hold one too). Returns what
 * follows the operator, or NULL. */
static const char *field_find(const char *text, const struct kept_fields *kept,
                              struct field_condition *condition) {
  const char *value = NULL;
  size_t longest = 0;
  for (int32_t i = 0; i < kept->count; i++) {
    const char *path = kept->field[i].path;
    const size_t length = strlen(path);
    enum field_operator relation;
    if (length <= longest || strncmp(text, path, length) != 0) continue;
    const char *after = operator_take(text + length + strspn(text + length, " "), &relation);
    if (!after) continue;
    longest = length;
    value = after;
    condition->path = path;
    condition->relation = relation;
  }
  return value;
}

static bool is_number(const char *text, int64_t length) {
  struct json_scan scan;
  struct json_value value;
  json_scan_start(&scan, text, length);
  return length > 0 && json_scan_value(&scan, &value) && scan.at == scan.end &&
         (value.kind == JSON_INTEGER || value.kind == JSON_REAL);
}

bool field_condition_parse(const char *text, const struct kept_fields *kept, const char *out,
                           struct field_condition *condition, struct error *error) {
  *condition = (struct field_condition){0};
  if (!utf8_is_valid(text, (int64_t)strlen(text)))
    return error_set(error, ERROR_USAGE, OPTION ": the condition is not valid UTF-8");
  const char *value = field_find(text, kept, condition);
  if (!value) {
    size_t name = strcspn(text, "=!<>");
    if (!text[name])
      return error_set(error, ERROR_USAGE,
                       OPTION " \"%s\": expected FIELD=VALUE, with =, !=, <, <=, > or >= between them", text);
    while (name > 0 && text[name - 1] == ' ') name--;
    return error_set(error, ERROR_USAGE, OPTION " \"%s\": the run in %s keeps no field \"%.*s\": it keeps %s",
                     text, out, (int)name, text, kept->list);
  }
  condition->value = value + strspn(value, " ");
  condition->length = (int64_t)strlen(condition->value);
  condition->is_number = is_number(condition->value, condition->length);
  condition->is_date = iso_date_read(condition->value, condition->length, &condition->date);
  return true;
}

static bool order_holds(enum field_operator relation, int order) {
  switch (relation) {
    case FIELD_EQUAL:
      return order == 0;
    case FIELD_DIFFERENT:
      return order != 0;
    case FIELD_LESS:
      return order < 0;
    case FIELD_LESS_EQUAL:
      return order <= 0;
    case FIELD_GREATER:
      return order > 0;
    case FIELD_GREATER_EQUAL:
      return order >= 0;
  }
  return false;
}

static int string_compare(const struct field_condition *condition, const char *bytes, int64_t length) {
  struct iso_date date;
  if (condition->is_date && iso_date_read(bytes, length, &date))
    return iso_date_compare(&date, &condition->date);
  const int64_t common = length < condition->length ? length : condition->length;
  const int order = memcmp(bytes, condition->value, (size_t)common); /* UTF-8 sorts as code points do */
  return order ? order : (length > condition->length) - (length < condition->length);
}

static bool condition_holds(const struct field_condition *condition, const struct json_value *value) {
  const bool different = condition->relation == FIELD_DIFFERENT;
  switch (value->kind) {
    case JSON_STRING:
      if (value->lone_surrogate) return different;
      return order_holds(condition->relation, string_compare(condition, value->bytes, value->length));
    case JSON_INTEGER:
    case JSON_REAL:
      if (!condition->is_number) return different;
      return order_holds(condition->relation,
                         decimal_compare(value->bytes, value->length, condition->value, condition->length));
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL: {
      const bool same = value->length == condition->length &&
                        memcmp(value->bytes, condition->value, (size_t)value->length) == 0;
      return same ? condition->relation == FIELD_EQUAL : different;
    }
    case JSON_NOT_FINITE:
    case JSON_ARRAY:
    case JSON_OBJECT:
      return different;
  }
  return different;
}

/* Scans the line's members; values[c] becomes the value of the field of condition c. */
static bool values_find(const struct field_condition *condition, int32_t count, char *line, int64_t length,
                        struct json_value *values) {
  struct json_scan scan;
  struct json_value name, value;
  bool more;
  json_scan_start(&scan, line, length);
  if (!json_scan_object(&scan, &more)) return false;
  while (more) {
    if (!json_scan_member(&scan, &name, &value, &more)) return false;
    for (int32_t c = 0; c < count; c++)
      if (json_string_is(&name, condition[c].path)) values[c] = value;
  }
  return !json_scan_space(&scan);
}

bool field_conditions_hold(const struct field_condition *condition, int32_t count, char *line, int64_t length,
                           bool *hold) {
  struct json_value values[FIELD_CONDITIONS_MAX] = {0};
  *hold = true;
  if (!values_find(condition, count, line, length, values)) return false;
  for (int32_t c = 0; c < count; c++) {
    struct json_value *value = &values[c];
    if (value->escaped && !value->lone_surrogate) {
      const char *bytes = value->bytes;
      const int64_t decoded = json_string_decode(line + (bytes - line), value->length);
      for (int32_t o = c; o < count; o++) /* several conditions may be on one field */
        if (values[o].bytes == bytes) {
          values[o].escaped = false;
          values[o].length = decoded;
        }
    }
    *hold = *hold &&
            (value->bytes ? condition_holds(&condition[c], value) : condition[c].relation == FIELD_DIFFERENT);
  }
  return true;
}
