#include "host/retrieval/trec_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/model/characters.h"
#include "host/model/utf8.h"

/* White space as Python's str.split knows it, by which pytrec_eval reads a run: beside Unicode's, the four
 * separators of ASCII. It includes all of C's, by which trec_eval reads. */
static bool is_space(uint32_t code_point) {
  return character_is_space(code_point) || (code_point >= 0x1c && code_point <= 0x1f);
}

/* Appends an id with its white space replaced; returns true if it had any. */
static bool id_append(struct text *text, const char *id) {
  const char *const end = id + strlen(id), *plain = id; /* not appended yet */
  bool replaced = false;
  size_t size;
  for (const char *at = id; at < end; at += size) {
    if (!is_space(utf8_read(at, end, &size))) continue;
    text_append(text, plain, (size_t)(at - plain));
    text_append(text, "_", 1);
    plain = at + size;
    replaced = true;
  }
  text_append(text, plain, (size_t)(end - plain));
  return replaced;
}

/* Finds another id that the form spells as it spells the id of `row`: one without white space, or one of an
 * earlier row. `spelled` gets the spelling, and holds those of the earlier rows with white space. */
static bool id_find(const struct id_map *ids, int64_t row, struct id_map *spelled, struct text *text,
                    const char **other, struct error *error) {
  int64_t first;
  text->size = 0;
  *other = NULL;
  if (!id_append(text, id_map_id(ids, row))) return true;
  if (text->failed) return error_set_memory(error, text->size, "an id");
  const int64_t plain = id_map_find(ids, text->bytes, text->size);
  if (plain >= 0) *other = id_map_id(ids, plain);
  if (plain >= 0) return true;
  if (!id_map_add(spelled, text->bytes, text->size, &first, error)) return false;
  for (int64_t before = 0; first >= 0 && before < row && !*other; before++) {
    struct text again = {0};
    id_append(&again, id_map_id(ids, before));
    if (again.size == text->size && memcmp(again.bytes, text->bytes, text->size) == 0)
      *other = id_map_id(ids, before);
    text_free(&again);
  }
  return true;
}

bool trec_run_check(const struct id_map *ids, const char *what, int64_t *spaced, struct error *error) {
  struct text text = {0};
  const char *other = NULL;
  struct id_map *spelled = id_map_open(error);
  bool ok = spelled != NULL;
  for (int64_t row = 0; ok && row < id_map_count(ids); row++) {
    ok = id_find(ids, row, spelled, &text, &other, error);
    if (ok && other)
      ok = error_set(
          error, ERROR_INPUT,
          "the %s \"%.200s\" and \"%.200s\" would have one id in run.wW.trec, which cannot hold white "
          "space: rename one",
          what, other, id_map_id(ids, row));
  }
  if (ok) *spaced += id_map_count(spelled);
  id_map_close(spelled);
  text_free(&text);
  return ok;
}

void trec_run_append(struct text *text, const char *query, const struct hit *hits, int32_t count,
                     const struct id_map *passages, const char *tag) {
  float last = INFINITY;
  for (int32_t i = 0; i < count; i++) {
    char number[64];
    const float score = hits[i].score < last ? hits[i].score : nextafterf(last, -INFINITY);
    id_append(text, query);
    text_append_string(text, " Q0 ");
    id_append(text, id_map_id(passages, hits[i].row));
    snprintf(number, sizeof number, " %d %.9g ", i + 1, score);
    text_append_string(text, number);
    text_append_string(text, tag);
    text_append(text, "\n", 1);
    last = score;
  }
}
