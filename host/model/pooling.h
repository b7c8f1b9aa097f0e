/* Pooling: how the last layer's rows become one row (sentence-transformers' Pooling module). Here and in the
 * encoders, switches without a default hold the differences between the modes, so a new mode is a compile
 * error until every place handles it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/error.h"

/* In the order in which sentence-transformers concatenates the modes that flags choose. */
enum pooling_mode {
  POOLING_CLS,           /* the first token's row */
  POOLING_MAX,           /* each column's largest number */
  POOLING_MEAN,          /* the mean of the rows */
  POOLING_MEAN_SQRT_LEN, /* the sum of the rows, divided by the square root of their number */
  POOLING_WEIGHTED_MEAN, /* the mean, weighted by each token's place in its sequence, from 1 */
  POOLING_LAST_TOKEN     /* the last token's row */
};

#define POOLING_MODES 6
#define POOLING_NAME_MAX 64 /* bytes of the longest name, with the final zero */

/* The modes' rows stand side by side, in this order. No mode stands twice. */
struct pooling {
  int32_t count; /* 1 … POOLING_MODES */
  enum pooling_mode mode[POOLING_MODES];
};

/* As sentence-transformers 5 and later write a mode: "cls", "mean". NULL if the number is not a mode. */
const char *pooling_mode_name(enum pooling_mode mode);

/* The modes' names, joined by "+": "cls", "mean+max". */
void pooling_print(const struct pooling *pooling, char name[POOLING_NAME_MAX]);

/* True if only the first token's row in the last layer is used; the other rows need not be computed. */
bool pooling_first_only(const struct pooling *pooling);

/* Reads the module's config.json; *pool_prompt is false if pooling must leave the prompt's tokens out.
 * ERROR_UNSUPPORTED if a mode is not known, or if a mode cannot leave a prompt out. ERROR_INPUT if the
 * dimension is not `hidden`. */
bool pooling_read(const char *folder, int32_t hidden, struct pooling *pooling, bool *pool_prompt,
                  struct error *error);
