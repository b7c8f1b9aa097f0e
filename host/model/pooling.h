/* Pooling: how the last layer's rows become one row (sentence-transformers' Pooling module). Here and in the
 * encoders, switches without a default hold the differences between the modes, so a new mode is a compile
 * error until every place handles it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/error.h"

enum pooling { POOLING_CLS, POOLING_MEAN };

/* As sentence-transformers 5 and later write it: "cls", "mean". NULL if the number is not a mode. */
const char *pooling_name(enum pooling pooling);

/* True if only the first token's row in the last layer is used; the other rows need not be computed. */
bool pooling_first_only(enum pooling pooling);

/* Reads the module's config.json; *pool_prompt is false if pooling must leave the prompt's tokens out.
 * ERROR_UNSUPPORTED if the mode is not supported, or if the mode cannot leave a prompt out. ERROR_INPUT if
 * the dimension is not `hidden`. */
bool pooling_read(const char *folder, int32_t hidden, enum pooling *pooling, bool *pool_prompt,
                  struct error *error);
