/* How the rows of the last layer become one row: the Pooling module of sentence-transformers. What differs
 * between the modes is decided by a switch without a default, here and in the encoders, so that a new mode is
 * a compile error until every place handles it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/error.h"

enum pooling { POOLING_CLS, POOLING_MEAN };

/* As sentence-transformers 5 and later write it: "cls", "mean". NULL for a number that is no mode. */
const char *pooling_name(enum pooling pooling);

/* True if only the first token's row of the last layer is used, so that the others need not be computed. */
bool pooling_first_only(enum pooling pooling);

/* Reads the module's config.json; *pool_prompt is false if the prompt's tokens are to be left out. A mode
 * that is not supported, and a prompt that cannot be left out, are ERROR_UNSUPPORTED; another dimension than
 * `hidden` is ERROR_INPUT. */
bool pooling_read(const char *folder, int32_t hidden, enum pooling *pooling, bool *pool_prompt,
                  struct error *error);
