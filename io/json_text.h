/* JSON that this program writes, built in memory: the files of a run.
 *
 * A zeroed struct json_text is an empty text. The result is never malformed: if memory runs short, or if a
 * string is not UTF-8 (JSON cannot hold anything else), the text has failed, and json_text_check reports it
 * at the end. */
#pragma once

#include "io/error.h"
#include "io/text.h"

#define JSON_TEXT_DEPTH 8 /* objects and arrays inside each other */

/* Layout of an object's members or an array's elements. */
enum json_layout {
  JSON_ON_ONE_LINE, /* {"a": 1, "b": 2} */
  JSON_HANGING,     /* one line each; the closing bracket follows the last one */
  JSON_BLOCK,       /* one line each, also for the closing bracket */
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
  char where[64]; /* key of the first string that is not UTF-8 */
};

/* Each function adds a value: as the member `key` of the open object, or, if `key` is NULL, as an element of
 * the open array or as the whole text. */
void json_text_open(struct json_text *json, const char *key, char bracket, enum json_layout layout);
void json_text_string(struct json_text *json, const char *key, const char *value); /* NULL: null */
void json_text_integer(struct json_text *json, const char *key, int64_t value);
void json_text_boolean(struct json_text *json, const char *key, bool value);
void json_text_raw(struct json_text *json, const char *key, const char *value); /* already JSON */

/* Closes the innermost open object or array with its bracket. */
void json_text_close(struct json_text *json, char bracket);

/* True if a string can stand in JSON: it is valid UTF-8. */
bool json_text_can_hold(const char *value);

/* False if the text has failed: ERROR_MEMORY, or ERROR_USAGE with the key of the string that is not UTF-8.
 * `what` names the text in the error sentence. */
bool json_text_check(const struct json_text *json, const char *what, struct error *error);

void json_text_free(struct json_text *json);
