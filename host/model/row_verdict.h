/* Whether a row can be stored. An encoder looks at every row: a number that is not finite, or a row of zeros
 * for a text that is not empty, comes of weights, a precision or a device that does not do for the model, and
 * would spoil a search without a word. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/error.h"

enum row_verdict {
  ROW_FINE,
  ROW_NOT_FINITE, /* an infinity or a NaN in the widest row, and so in others */
  ROW_ZERO,       /* the narrowest row, and perhaps wider ones, is all zero */
};

/* widest [width] fp16, narrowest [narrow] fp16: two rows of one vector; may be the same. */
enum row_verdict row_judge(const uint16_t *widest, int32_t width, const uint16_t *narrowest, int32_t narrow);

/* Whether the run may go on. A row of zeros is right if no token of the text itself is left: only those that
 * the tokenizer adds, and those of a prompt that pooling leaves out (prompt_tokens as in struct batch). */
bool row_passes(enum row_verdict verdict, int32_t tokens, int32_t prompt_tokens);

/* Layers as row_refuse names them; 0 is the first one. */
#define ROW_LAYER_EMBEDDING (-1)
#define ROW_LAYER_NONE (-2) /* a second run of the batch had no such row */

/* Says what is wrong with a row, in ERROR_DEVICE. layer: the first one whose output is as wrong as the row,
 * of `layers`; advice: what may help, the end of a sentence. Returns false. */
bool row_refuse(enum row_verdict verdict, int32_t layer, int32_t layers, const char *advice,
                struct error *error);
