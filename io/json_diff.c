#include "io/json_diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERENCES_MAX 4  /* named in one sentence; the rest are counted */
#define VALUE_BYTES_MAX 60 /* of a value in that sentence */

static void value_print(FILE *stream, const json_t *value) {
  char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
  const bool whole = !text || strlen(text) <= VALUE_BYTES_MAX;
  fprintf(stream, "%.*s%s", VALUE_BYTES_MAX, text ? text : "nothing", whole ? "" : "…");
  free(text);
}

void json_diff(struct json_diff *diff, const char *path, const json_t *then, const json_t *now) {
  if (json_is_object(then) && json_is_object(now)) {
    const char *key;
    json_t *value;
    char inner[256];
    json_object_foreach((json_t *)then, key, value) {
      snprintf(inner, sizeof inner, "%.120s.%.120s", path, key);
      json_diff(diff, inner, value, json_object_get(now, key));
    }
    json_object_foreach((json_t *)now, key, value) {
      if (json_object_get(then, key)) continue;
      snprintf(inner, sizeof inner, "%.120s.%.120s", path, key);
      json_diff(diff, inner, NULL, value);
    }
    return;
  }
  if (then && now && json_equal(then, now)) return;
  if (diff->count++ >= DIFFERENCES_MAX) return;
  if (diff->count > 1) fputs("; ", diff->stream);
  if (diff->name)
    diff->name(diff->stream, path);
  else
    fputs(path, diff->stream);
  fputs(": ", diff->stream);
  value_print(diff->stream, then);
  fprintf(diff->stream, " %s, ", diff->then);
  value_print(diff->stream, now);
  fprintf(diff->stream, " %s", diff->now);
}

void json_diff_end(struct json_diff *diff) {
  if (diff->count > DIFFERENCES_MAX) fprintf(diff->stream, "; and %d more", diff->count - DIFFERENCES_MAX);
}
