#include "io/difference.h"

#include <string.h>

#define DIFFERENCES_MAX 4  /* named in one phrase; the others are only counted */
#define VALUE_BYTES_MAX 60 /* of one value */

static void value_append(struct text *text, const char *value) {
  const size_t length = value ? strlen(value) : 0;
  if (!value) text_append_string(text, "nothing");
  text_append(text, value, text_cut(value, length, VALUE_BYTES_MAX));
  if (length > VALUE_BYTES_MAX) text_append_string(text, "…");
}

void difference_add(struct difference *difference, const char *path, const char *then, const char *now) {
  struct text *text = &difference->text;
  if (then && now ? strcmp(then, now) == 0 : then == now) return;
  if (difference->count++ >= DIFFERENCES_MAX) return;
  if (difference->count > 1) text_append_string(text, "; ");
  if (difference->name)
    difference->name(text, path);
  else
    text_append_string(text, path);
  text_append_string(text, ": ");
  value_append(text, then);
  text_append_string(text, " ");
  text_append_string(text, difference->then);
  text_append_string(text, ", ");
  value_append(text, now);
  text_append_string(text, " ");
  text_append_string(text, difference->now);
}

const char *difference_end(struct difference *difference) {
  struct text *text = &difference->text;
  if (difference->count > DIFFERENCES_MAX) {
    text_append_string(text, "; and ");
    text_append_integer(text, difference->count - DIFFERENCES_MAX);
    text_append_string(text, " more");
  }
  text_append(text, "", 1);
  return text->failed ? NULL : text->bytes;
}

void difference_free(struct difference *difference) {
  text_free(&difference->text);
}
