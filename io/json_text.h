/* JSON that this program writes, built in memory: what its files say of a run.
 *
 * A zeroed struct json_text is an empty one. Nothing malformed comes out of it: if memory runs short, or if a
 * string is not UTF-8 (which JSON cannot hold), the text has failed, and json_text_check says so at the end.
 */
#pragma once

#include "io/error.h"
#include "io/text.h"

#define JSON_TEXT_DEPTH 8 /* objects and arrays inside each other */

/* How the members of an object, or the elements of an array, are laid out. */
enum json_layout {
  JSON_ON_ONE_LINE, /* {"a": 1, "b": 2} */
  JSON_HANGING,     /* each on a line of its own; the bracket follows the last one */
  JSON_BLOCK,       /* each on a line of its own, the closing bracket too */
};

struct json_text {
  struct text text;
  bool compact; /* no spaces after colons and commas */
  int depth;
  struct {
    enum json_layout layout;
    bool filled;
  } level[JSON_TEXT_DEPTH];
  bool not_utf8;
  char where[64]; /* the key of the first string that is not UTF-8 */
};

/* Each adds a value: as the member `key` of the object that is open, or, if `key` is NULL, as an element of
 * the array that is open or as the whole text. */
void json_text_open(struct json_text *json, const char *key, char bracket, enum json_layout layout);
void json_text_string(struct json_text *json, const char *key, const char *value); /* NULL: null */
void json_text_integer(struct json_text *json, const char *key, int64_t value);
void json_text_boolean(struct json_text *json, const char *key, bool value);
void json_text_raw(struct json_text *json, const char *key, const char *value); /* JSON already */

/* Closes what was opened last, with the bracket that belongs to it. */
void json_text_close(struct json_text *json, char bracket);

/* Whether a string can stand in JSON: it is UTF-8. */
bool json_text_can_hold(const char *value);

/* False if the text has failed: ERROR_MEMORY, or ERROR_USAGE with the key of the string that is not UTF-8.
 * `what` names the text. */
bool json_text_check(const struct json_text *json, const char *what, struct error *error);

void json_text_free(struct json_text *json);
