/* Documents for measurements, made from real texts: each is a random run of words from the sources, so
 * tokenizers have as much work as with real text. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct passages_wanted {
  int64_t count;
  int32_t words_least, words_most; /* per document; evenly distributed */
};

/* Writes `out`, a .jsonl.zst, with {"id":"p0000001","text":"…"} on each line. The sources are JSONL files,
 * plain or compressed, with a field "text". */
bool passages_make(const struct passages_wanted *wanted, const char *out, const char *const *sources,
                   int count, struct error *error);
