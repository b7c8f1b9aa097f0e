#include "host/retrieval/trec_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TREC_SPACES " \t\n\v\f\r"

/* Appends an id with its white space replaced; returns true if it had any. */
static bool id_append(struct text *text, const char *id) {
  bool replaced = false;
  for (;;) {
    const size_t length = strcspn(id, TREC_SPACES);
    text_append(text, id, length);
    if (id[length] == '\0') return replaced;
    text_append(text, "_", 1);
    replaced = true;
    id += length + 1;
  }
}

int64_t trec_run_append(struct text *text, const char *query, const struct hit *hits, int32_t count,
                        const struct id_map *passages, const char *tag) {
  int64_t replaced = 0;
  float last = INFINITY;
  for (int32_t i = 0; i < count; i++) {
    char number[64];
    const float score = hits[i].score < last ? hits[i].score : nextafterf(last, -INFINITY);
    replaced += id_append(text, query);
    text_append_string(text, " Q0 ");
    replaced += id_append(text, id_map_id(passages, hits[i].row));
    snprintf(number, sizeof number, " %d %.9g ", i + 1, score);
    text_append_string(text, number);
    text_append_string(text, tag);
    text_append(text, "\n", 1);
    last = score;
  }
  return replaced;
}
