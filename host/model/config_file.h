/* The JSON files of a model folder, and their members, each checked as it is read. Every error names the file
 * and the member, says what stands there and what was expected. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "io/error.h"

struct config_file {
  char *path;   /* for sentences */
  json_t *root; /* NULL where an optional file is not there */
};

enum config_need { CONFIG_REQUIRED, CONFIG_OPTIONAL };

/* Reads folder/name, which must hold a JSON value (RFC 8259). Numbers are read as reals, so that the integers
 * past 2^63 which Python writes for "no limit" are valid. On failure nothing is left to free. */
bool config_file_read(const char *folder, const char *name, enum config_need need, struct config_file *file,
                      struct error *error);
void config_file_free(struct config_file *file);

/* True where folder/name exists. */
bool config_file_exists(const char *folder, const char *name);

/* Member of the root object, or NULL where the member, or the file, is not there, or the member is null. */
const json_t *config_member(const struct config_file *file, const char *key);

/* *value is left as it is where the member is absent (or null); a member of another type, or out of range, is
 * ERROR_INPUT. */
bool config_integer(const struct config_file *file, const char *key, int32_t low, int32_t high,
                    int32_t *value, struct error *error);
bool config_number(const struct config_file *file, const char *key, double low, double high, double *value,
                   struct error *error);
bool config_flag(const struct config_file *file, const char *key, bool *value, struct error *error);
bool config_string(const struct config_file *file, const char *key, const char **value, struct error *error);

/* As config_integer, and an absent member is an error too. */
bool config_integer_required(const struct config_file *file, const char *key, int32_t low, int32_t high,
                             int32_t *value, struct error *error);

/* Returns false with "<path>: "<key>" is <what stands there>; expected <expected>". `value` may be NULL: "is
 * missing". */
bool config_refuse(const struct config_file *file, enum error_code code, const char *key, const json_t *value,
                   const char *expected, struct error *error);

/* True for a name that stays inside its folder: not empty, no slash, not "." or "..". */
bool config_name_is_plain(const char *name);
