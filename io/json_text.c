#include "io/json_text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "io/json_scan.h"

static void line_begin(struct json_text *json, int depth) {
  text_append(&json->text, "\n", 1);
  for (int i = 0; i < depth; i++) text_append(&json->text, " ", 1);
}

/* Writes the text before a value: the comma after the previous value, the line break, the key. */
static void value_begin(struct json_text *json, const char *key) {
  if (json->depth > 0) {
    const enum json_layout layout = json->level[json->depth - 1].layout;
    bool *filled = &json->level[json->depth - 1].filled;
    if (*filled) text_append(&json->text, ",", 1);
    if (layout != JSON_ON_ONE_LINE)
      line_begin(json, json->depth);
    else if (*filled && !json->compact)
      text_append(&json->text, " ", 1);
    *filled = true;
  }
  if (!key) return;
  text_append_json(&json->text, key, strlen(key));
  text_append_string(&json->text, json->compact ? ":" : ": ");
}

void json_text_open(struct json_text *json, const char *key, char bracket, enum json_layout layout) {
  assert(json->depth < JSON_TEXT_DEPTH);
  value_begin(json, key);
  text_append(&json->text, &bracket, 1);
  json->level[json->depth].layout = layout;
  json->level[json->depth++].filled = false;
}

void json_text_close(struct json_text *json, char bracket) {
  assert(json->depth > 0);
  json->depth--;
  if (json->level[json->depth].layout == JSON_BLOCK && json->level[json->depth].filled)
    line_begin(json, json->depth);
  text_append(&json->text, &bracket, 1);
}

bool json_text_can_hold(const char *value) {
  return utf8_is_valid(value, (int64_t)strlen(value));
}

void json_text_string(struct json_text *json, const char *key, const char *value) {
  value_begin(json, key);
  if (!value) {
    text_append_string(&json->text, "null");
    return;
  }
  const size_t size = strlen(value);
  if (!json->not_utf8 && !json_text_can_hold(value)) {
    json->not_utf8 = true;
    snprintf(json->where, sizeof json->where, "%s", key ? key : "a string");
  }
  text_append_json(&json->text, value, size);
}

void json_text_integer(struct json_text *json, const char *key, int64_t value) {
  value_begin(json, key);
  text_append_integer(&json->text, value);
}

void json_text_boolean(struct json_text *json, const char *key, bool value) {
  value_begin(json, key);
  text_append_string(&json->text, value ? "true" : "false");
}

void json_text_raw(struct json_text *json, const char *key, const char *value) {
  value_begin(json, key);
  text_append_string(&json->text, value);
}

bool json_text_check(const struct json_text *json, const char *what, struct error *error) {
  if (json->text.failed) return error_set_memory(error, json->text.size, what);
  if (json->not_utf8)
    return error_set(error, ERROR_USAGE, "%s: %s is not valid UTF-8, and JSON can hold nothing else", what,
                     json->where);
  return true;
}

void json_text_free(struct json_text *json) {
  text_free(&json->text);
  *json = (struct json_text){0};
}
