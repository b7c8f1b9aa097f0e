#include "io/run/fields.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/run/layout.h"

/* A member's place in its struct. */
static const void *place_in(const struct field *field, const void *owner) {
  return (const char *)owner + field->offset;
}

static void *place_of(const struct field *field, void *owner) {
  return (char *)owner + field->offset;
}

static void widths_write(const struct width_list *widths, const char *key, struct json_text *json) {
  json_text_open(json, key, '[', JSON_ON_ONE_LINE);
  for (int32_t w = 0; w < widths->count; w++) json_text_integer(json, NULL, widths->width[w]);
  json_text_close(json, ']');
}

/* True if a member is empty and so is not written. */
static bool field_is_absent(const struct field *field, const void *place) {
  return (field->kind == FIELD_TEXT && *(const char *)place == '\0') ||
         (field->kind == FIELD_OPTION && *(const int32_t *)place == 0) ||
         (field->kind == FIELD_RARE && *(const int64_t *)place == 0);
}

static void field_write(const struct field *field, const char *key, const void *place,
                        struct json_text *json) {
  switch (field->kind) {
    case FIELD_STRING:
      json_text_string(json, key, *(char *const *)place);
      break;
    case FIELD_TEXT:
      json_text_string(json, key, place);
      break;
    case FIELD_NUMBER:
    case FIELD_OPTION:
      json_text_integer(json, key, *(const int32_t *)place);
      break;
    case FIELD_COUNT:
    case FIELD_RARE:
    case FIELD_SUM:
      json_text_integer(json, key, *(const int64_t *)place);
      break;
    case FIELD_FLAG:
      json_text_boolean(json, key, *(const bool *)place);
      break;
    case FIELD_WIDTHS:
      widths_write(place, key, json);
      break;
  }
}

void fields_write(const struct field_table *table, const void *from, struct json_text *json) {
  for (size_t i = 0; i < table->count; i++) {
    const struct field *field = &table->field[i];
    const void *place = place_in(field, from);
    if (!field_is_absent(field, place)) field_write(field, field->key, place, json);
  }
}

/* The reading functions return NULL, or the expected kind. */
static const char *text_read(const json_t *value, size_t size, char *to) {
  const char *text = json_string_value(value);
  if (!text || strlen(text) >= size) return "a string, and not so long a one";
  strcpy(to, text);
  return NULL;
}

static const char *integer_read(const json_t *value, int64_t least, int64_t most, int64_t *to) {
  *to = json_integer_value(value);
  return json_is_integer(value) && *to >= least && *to <= most
             ? NULL
             : "an integer, and neither negative nor so large";
}

static const char *number_read(const json_t *value, int32_t *to) {
  int64_t number;
  const char *wrong = integer_read(value, 0, INT32_MAX, &number);
  if (!wrong) *to = (int32_t)number;
  return wrong;
}

static const char *widths_read(const json_t *value, struct width_list *to) {
  static const char expected[] = "a falling list of widths";
  const size_t count = json_array_size(value);
  if (count < 1 || count > WIDTHS_MAX) return expected;
  for (size_t w = 0; w < count; w++) {
    if (number_read(json_array_get(value, w), &to->width[w])) return expected;
    if (to->width[w] < 1 || to->width[w] > WIDTH_MAX || (w > 0 && to->width[w] >= to->width[w - 1]))
      return expected;
  }
  to->count = (int32_t)count;
  return NULL;
}

/* Reads a string or null; *is_short is set if memory is short. */
static const char *string_read(const json_t *value, char **to, bool *is_short) {
  if (json_is_null(value)) return NULL;
  if (!json_is_string(value)) return "a string or null";
  *to = strdup(json_string_value(value));
  *is_short = !*to;
  return NULL;
}

static const char *field_read(const struct field *field, const json_t *value, void *place, bool *is_short) {
  switch (field->kind) {
    case FIELD_STRING:
      return string_read(value, place, is_short);
    case FIELD_TEXT:
      return text_read(value, field->size, place);
    case FIELD_NUMBER:
    case FIELD_OPTION:
      return number_read(value, place);
    case FIELD_COUNT:
    case FIELD_RARE:
      return integer_read(value, 0, FIELD_COUNT_MAX, place);
    case FIELD_SUM:
      return integer_read(value, INT64_MIN, INT64_MAX, place);
    case FIELD_FLAG:
      *(bool *)place = json_is_true(value);
      return json_is_boolean(value) ? NULL : "true or false";
    case FIELD_WIDTHS:
      return widths_read(value, place);
  }
  return "nothing";
}

/* Sets a member that its object lacks to its default. */
static bool field_default(const struct field *field, const char *path, void *place, bool *is_short,
                          struct error *error) {
  if (field->required) return error_set(error, ERROR_INPUT, "%s%s is missing", path, field->key);
  if (field->kind != FIELD_STRING || !field->fallback) return true;
  *(char **)place = strdup(field->fallback);
  *is_short = !*(char **)place;
  return true;
}

static bool table_has(const struct field_table *table, const char *key) {
  for (size_t i = 0; i < table->count; i++)
    if (strcmp(table->field[i].key, key) == 0) return true;
  return false;
}

/* Refuses a member that the table does not name. */
static bool members_known(const struct field_table *table, const char *path, const json_t *object,
                          struct error *error) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    if (table_has(table, key)) continue;
    return error_set(error, ERROR_INPUT,
                     "%s%.100s is not known to nina " NINA_VERSION
                     ": use the version that wrote it, or a later one",
                     path, key);
  }
  return true;
}

bool fields_read(const struct field_table *table, const char *path, bool closed, const json_t *object,
                 void *to, struct error *error) {
  for (size_t i = 0; i < table->count; i++) {
    const struct field *field = &table->field[i];
    const json_t *value = json_object_get(object, field->key);
    void *place = place_of(field, to);
    bool is_short = false;
    const char *expected = NULL;
    if (!value && !field_default(field, path, place, &is_short, error)) return false;
    if (value) expected = field_read(field, value, place, &is_short);
    if (is_short) return error_set_memory(error, strlen(field->key), "what a run is");
    if (expected)
      return error_set(error, ERROR_INPUT, "%s%s is not what it should be: %s", path, field->key, expected);
  }
  return !closed || members_known(table, path, object, error);
}

bool fields_copy(const struct field_table *table, const void *from, void *to, struct error *error) {
  bool ok = true;
  for (size_t i = 0; i < table->count; i++) {
    const struct field *field = &table->field[i];
    const void *place = place_in(field, from);
    memcpy(place_of(field, to), place, field->size);
    const char *string = field->kind == FIELD_STRING ? *(char *const *)place : NULL;
    if (!string) continue;
    char **copy = place_of(field, to);
    *copy = strdup(string);
    if (!*copy) ok = error_set_memory(error, strlen(string), "what a run is");
  }
  return ok;
}

void fields_free(const struct field_table *table, void *owner) {
  for (size_t i = 0; i < table->count; i++) {
    char **place = place_of(&table->field[i], owner);
    if (table->field[i].kind != FIELD_STRING) continue;
    free(*place);
    *place = NULL;
  }
}

/* Gives a member's value as text with a NUL at its end; *value is NULL if it is not written. False if memory
 * is short. */
static bool value_text(const struct field *field, const void *owner, struct json_text *json,
                       const char **value) {
  const void *place = place_in(field, owner);
  *value = NULL;
  if (field_is_absent(field, place)) return true;
  text_clear(&json->text, SIZE_MAX);
  field_write(field, NULL, place, json);
  text_append(&json->text, "", 1);
  *value = json->text.bytes;
  return !json->text.failed;
}

bool fields_compare(const struct field_table *table, const char *path, const void *then, const void *now,
                    struct difference *difference) {
  struct json_text texts[2] = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < table->count; i++) {
    char inner[128];
    const char *values[2];
    snprintf(inner, sizeof inner, "%.60s.%s", path, table->field[i].key);
    ok = value_text(&table->field[i], then, &texts[0], &values[0]) &&
         value_text(&table->field[i], now, &texts[1], &values[1]);
    if (ok) difference_add(difference, inner, values[0], values[1]);
  }
  json_text_free(&texts[0]);
  json_text_free(&texts[1]);
  return ok;
}

bool fields_visit(const struct field_table *table, const void *owner, field_fn *visit, void *context) {
  struct json_text json = {.compact = true};
  bool ok = true;
  for (size_t i = 0; ok && i < table->count; i++) {
    const char *value;
    ok = value_text(&table->field[i], owner, &json, &value);
    if (ok && value) visit(context, table->field[i].key, value);
  }
  json_text_free(&json);
  return ok;
}
