/* jansson as an oracle for harnesses that include io/json_scan.h, whose names are jansson's too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct json_t;

enum oracle_kind {
  ORACLE_STRING,
  ORACLE_INTEGER,
  ORACLE_REAL,
  ORACLE_TRUE,
  ORACLE_FALSE,
  ORACLE_NULL,
  ORACLE_ARRAY,
  ORACLE_OBJECT,
};

/* Parses a text; NULL if jansson refuses it. *limit: what it refuses is allowed by RFC 8259: numbers too
 * large for C, depth, a NUL in a key, lone surrogates. */
struct json_t *oracle_parse(const char *text, size_t size, bool *limit);
void oracle_free(struct json_t *value);

enum oracle_kind oracle_kind_of(const struct json_t *value);

/* Members of an object. */
size_t oracle_members(const struct json_t *value);
const struct json_t *oracle_member(const struct json_t *object, const char *name); /* NULL: none */

/* A string's bytes; an integer's value. */
const char *oracle_string(const struct json_t *value, size_t *length);
long long oracle_integer(const struct json_t *value);
