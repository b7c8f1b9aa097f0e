/* The JSON files of a model folder and their members, checked when read. Every error names the file, the
 * member, its value and the expected value. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "io/error.h"

struct config_file {
  char *path;   /* for error sentences */
  json_t *root; /* NULL if an optional file is missing */
};

enum config_need { CONFIG_REQUIRED, CONFIG_OPTIONAL };

/* Reads folder/name, which must hold a JSON object (RFC 8259). For "no limit" Python writes integers past
 * 2^63; they are valid here, because numbers are read as reals. On failure nothing is left to free. */
bool config_file_read(const char *folder, const char *name, enum config_need need, struct config_file *file,
                      struct error *error);
/* The same for a file that must hold a JSON array, as modules.json. */
bool config_list_read(const char *folder, const char *name, enum config_need need, struct config_file *file,
                      struct error *error);
void config_file_free(struct config_file *file);

/* Member of the root object, or NULL if the file or the member is missing, or if the member is null. */
const json_t *config_member(const struct config_file *file, const char *key);

#define CONFIG_NO_MOST 1e300 /* as `high` of config_number: no limit */

/* If the member is absent (or null), *value stays unchanged. A member with another type, or out of range, is
 * ERROR_INPUT. */
bool config_integer(const struct config_file *file, const char *key, int32_t low, int32_t high,
                    int32_t *value, struct error *error);
bool config_number(const struct config_file *file, const char *key, double low, double high, double *value,
                   struct error *error);
bool config_flag(const struct config_file *file, const char *key, bool *value, struct error *error);
bool config_string(const struct config_file *file, const char *key, const char **value, struct error *error);

/* As config_integer, but an absent member is an error too. */
bool config_integer_required(const struct config_file *file, const char *key, int32_t low, int32_t high,
                             int32_t *value, struct error *error);

/* Returns false with "<path>: "<key>" is <the value>; expected <expected>". If `value` is NULL: "is
 * missing". */
bool config_refuse(const struct config_file *file, enum error_code code, const char *key, const json_t *value,
                   const char *expected, struct error *error);

/* True if a name stays inside its folder: not empty, no slash, not "." or "..". */
bool config_name_is_plain(const char *name);
