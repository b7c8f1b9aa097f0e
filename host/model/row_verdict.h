/* Checks if a row can be stored. An encoder checks every row. If a number is not finite, or if a text that is
 * not empty gives a row of zeros, the weights, the precision or the device does not suit the model. Stored,
 * such a row would spoil a search in silence. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/error.h"

enum row_verdict {
  ROW_FINE,
  ROW_NOT_FINITE, /* an infinity or a NaN in the widest row, and so in others */
  ROW_ZERO,       /* the narrowest row, and perhaps wider ones, is all zero */
};

/* widest [width] fp16, narrowest [narrow] fp16: two rows of one vector; may be the same row. */
enum row_verdict row_judge(const uint16_t *widest, int32_t width, const uint16_t *narrowest, int32_t narrow);

/* True if the run may go on. A row of zeros is right if no token from the text itself is left: only the
 * tokenizer's added tokens, and prompt tokens that pooling leaves out (prompt_tokens as in struct batch). */
bool row_passes(enum row_verdict verdict, int32_t tokens, int32_t prompt_tokens);

/* Special layers for row_refuse; 0 is the first layer. */
#define ROW_LAYER_EMBEDDING (-1)
#define ROW_LAYER_NONE (-2) /* a second run of the batch had no such row */
#define ROW_LAYER_POOLING (-3)
#define ROW_LAYER_WIDTHS \
  (-4) /* all layers are right; the row is wrong once it is cut, normalised and rounded */

/* Layers from `layers` on stand for the Dense modules: layers + 1 is the second one. */

/* Describes a wrong row, as ERROR_DEVICE. `layer` is the first layer, out of `layers`, with the same fault in
 * its output. `advice` says what may help with such a layer; it ends the sentence. Returns false. */
bool row_refuse(enum row_verdict verdict, int32_t layer, int32_t layers, const char *advice,
                struct error *error);
