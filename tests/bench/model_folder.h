/* A full-size model folder with random weights, to measure with: it costs what the real one costs, and means
 * nothing. fp16, the same bytes on every machine and for any number of threads. */
#pragma once

#include "io/error.h"

/* `shape` is "bge-m3", "e5-large", "e5-base" or "tiny" (with a vocabulary for small tokenizers only). The
 * tokenizer's files are copied from the folder `tokenizer`. `out` appears under its name only when it is
 * whole; a whole one is left as it is. */
bool model_folder_make(const char *out, const char *shape, const char *tokenizer, struct error *error);
