/* The borders at which a text may be cut into chunks (host/model/chunk.h), from the worst kind to the best.
 *
 * Except for clusters, a border stands after white space (Unicode's White_Space), so that a chunk begins with
 * its first word. If a mark follows that would join a space in one grapheme cluster, there is no border. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum border_kind {
  BORDER_NONE,
  BORDER_CLUSTER,   /* between two extended grapheme clusters (UAX #29) */
  BORDER_SPACE,     /* after white space */
  BORDER_SENTENCE,  /* after white space that follows one of . ! ? …, and perhaps closing marks */
  BORDER_LINE,      /* after white space with a line break */
  BORDER_PARAGRAPH, /* after white space with two line breaks, or with a paragraph separator (U+2029) */
};

struct border {
  enum border_kind kind;
  int64_t from; /* the byte at which the white space begins */
  int64_t at;   /* the byte before which the text may be cut */
};

/* Reads the borders after white space. At the beginning all fields but the first three are zero, and the text
 * begins where a chunk does. */
struct border_reader {
  const char *text; /* [length] UTF-8 */
  int64_t length;
  int64_t last; /* the last byte at which the white space may begin */
  int64_t at;
  bool ends_sentence; /* the characters before `at` end a sentence */
};

/* False if none is left. The end of the text is no border. */
bool border_next(struct border_reader *reader, struct border *border);

/* The last border between clusters in (0, at], or 0; text [length] begins with a whole cluster. The end of
 * the text is a border. */
int64_t cluster_border_before(const char *text, int64_t length, int64_t at);

/* The first border between clusters from `at` on, which is at least 1. */
int64_t cluster_border_after(const char *text, int64_t length, int64_t at);
