#include "host/model/config_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/json_parse.h"
#include "io/look.h"
#include "io/text.h"

/* A tokenizer.json with 250,000 pieces has 17 MB. */
#define CONFIG_BYTES_MAX ((size_t)256 << 20)

#define FOUND_BYTES 80 /* of a value quoted in an error sentence */

static json_t *text_parse(const char *path, const char *text, size_t size, struct error *error) {
  json_error_t detail;
  const size_t flags = JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
  json_t *root = json_parse(text, size, flags, &detail);
  if (root) return root;
  if (json_error_code(&detail) == json_error_out_of_memory)
    error_set_memory(error, size, path);
  else
    error_set(error, ERROR_INPUT, "%s: line %d, column %d: not valid JSON: %s", path, detail.line,
              detail.column, detail.text);
  return NULL;
}

/* A root of another type has no members, and would pass for a file that leaves everything to its defaults. */
static bool root_check(const struct config_file *file, json_type type, struct error *error) {
  return json_typeof(file->root) == type || error_set(error, ERROR_INPUT, "%s: it does not hold a JSON %s",
                                                      file->path, type == JSON_ARRAY ? "array" : "object");
}

static bool file_fill(const char *folder, const char *name, enum config_need need, json_type type,
                      struct config_file *file, struct error *error) {
  char *text = NULL;
  size_t size = 0;
  *file = (struct config_file){.path = file_join(folder, name)};
  if (!file->path) return error_set_memory(error, strlen(folder) + strlen(name) + 2, "a path");
  bool there = true;
  const bool looked = need == CONFIG_REQUIRED || look_in(folder, name, &there, error);
  if (looked && !there) return true;
  if (looked && file_read(file->path, CONFIG_BYTES_MAX, &text, &size, error))
    file->root = text_parse(file->path, text, size, error);
  free(text);
  if (file->root && root_check(file, type, error)) return true;
  config_file_free(file);
  return false;
}

bool config_file_read(const char *folder, const char *name, enum config_need need, struct config_file *file,
                      struct error *error) {
  return file_fill(folder, name, need, JSON_OBJECT, file, error);
}

bool config_list_read(const char *folder, const char *name, enum config_need need, struct config_file *file,
                      struct error *error) {
  return file_fill(folder, name, need, JSON_ARRAY, file, error);
}

void config_file_free(struct config_file *file) {
  json_decref(file->root);
  free(file->path);
  *file = (struct config_file){0};
}

const json_t *config_member(const struct config_file *file, const char *key) {
  const json_t *value = json_object_get(file->root, key);
  return json_is_null(value) ? NULL : value;
}

bool config_refuse(const struct config_file *file, enum error_code code, const char *key, const json_t *value,
                   const char *expected, struct error *error) {
  if (!value) return error_set(error, code, "%s: \"%s\" is missing; expected %s", file->path, key, expected);
  char number[32]; /* every number is read as a double, which the library prints as 128.0 */
  snprintf(number, sizeof number, "%.15g", json_number_value(value));
  char *printed = json_is_number(value) ? NULL : json_print(value, JSON_ENCODE_ANY | JSON_COMPACT);
  const char *found = json_is_number(value) ? number : printed ? printed : "not printable";
  const size_t shown = text_cut(found, strlen(found), FOUND_BYTES);
  error_set(error, code, "%s: \"%s\" is %.*s%s; expected %s", file->path, key, (int)shown, found,
            found[shown] ? "…" : "", expected);
  free(printed);
  return false;
}

bool config_number(const struct config_file *file, const char *key, double low, double high, double *value,
                   struct error *error) {
  const json_t *member = config_member(file, key);
  if (!member) return true;
  const double number = json_is_number(member) ? json_number_value(member) : 0;
  if (json_is_number(member) && number >= low && number <= high) {
    *value = number;
    return true;
  }
  char expected[80];
  if (high < CONFIG_NO_MOST)
    snprintf(expected, sizeof expected, "a number of %g to %g", low, high);
  else
    snprintf(expected, sizeof expected, "a number, %g or more", low);
  return config_refuse(file, ERROR_INPUT, key, member, expected, error);
}

bool config_integer(const struct config_file *file, const char *key, int32_t low, int32_t high,
                    int32_t *value, struct error *error) {
  const json_t *member = config_member(file, key);
  if (!member) return true;
  const double number = json_is_number(member) ? json_number_value(member) : 0;
  if (json_is_number(member) && number >= low && number <= high && number == (double)(int32_t)number) {
    *value = (int32_t)number;
    return true;
  }
  char expected[80];
  snprintf(expected, sizeof expected, "an integer of %d to %d", low, high);
  return config_refuse(file, ERROR_INPUT, key, member, expected, error);
}

bool config_integer_required(const struct config_file *file, const char *key, int32_t low, int32_t high,
                             int32_t *value, struct error *error) {
  if (config_member(file, key)) return config_integer(file, key, low, high, value, error);
  return config_refuse(file, ERROR_INPUT, key, NULL, "an integer", error);
}

bool config_flag(const struct config_file *file, const char *key, bool *value, struct error *error) {
  const json_t *member = config_member(file, key);
  if (!member) return true;
  if (!json_is_boolean(member)) return config_refuse(file, ERROR_INPUT, key, member, "true or false", error);
  *value = json_is_true(member);
  return true;
}

bool config_string(const struct config_file *file, const char *key, const char **value, struct error *error) {
  const json_t *member = config_member(file, key);
  if (!member) return true;
  if (!json_is_string(member)) return config_refuse(file, ERROR_INPUT, key, member, "a string", error);
  *value = json_string_value(member);
  return true;
}

bool config_name_is_plain(const char *name) {
  return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}
