/* Documents to measure with, made of real texts: each is a random run of words out of the sources, so that
 * tokenizers have the work that they have with the sources. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct passages_wanted {
  int64_t count;
  int32_t words_least, words_most; /* of a document; evenly distributed */
};

/* Writes `out`, a .jsonl.zst, with {"id":"p0000001","text":"…"} a line. The sources are JSONL files, plain or
 * compressed; their field "text" is read. */
bool passages_make(const struct passages_wanted *wanted, const char *out, const char *const *sources,
                   int count, struct error *error);
