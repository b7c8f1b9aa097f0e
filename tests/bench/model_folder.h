/* A full-size model folder with random weights, for measurements: it costs as much as the real model, but its
 * rows mean nothing. fp16, the same bytes on every machine and for any number of threads. */
#pragma once

#include "io/error.h"

/* `shape`: "bge-m3", "e5-large", "e5-base" or "tiny" (whose vocabulary fits only small tokenizers). The
 * tokenizer's files are copied from the folder `tokenizer`. `out` gets its name only when it is complete; if
 * a complete `out` exists, it stays unchanged. */
bool model_folder_make(const char *out, const char *shape, const char *tokenizer, struct error *error);
