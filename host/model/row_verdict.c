#include "host/model/row_verdict.h"

#include <stdio.h>

#define EXPONENT 0x7c00  /* exponent of fp16: all ones in an infinity and in a NaN */
#define MAGNITUDE 0x7fff /* all bits but the sign */

enum row_verdict row_judge(const uint16_t *widest, int32_t width, const uint16_t *narrowest, int32_t narrow) {
  int32_t bad = 0;
  uint16_t any = 0;
  for (int32_t i = 0; i < width; i++) bad |= (widest[i] & EXPONENT) == EXPONENT;
  for (int32_t i = 0; i < narrow; i++) any |= narrowest[i] & MAGNITUDE;
  return bad ? ROW_NOT_FINITE : any ? ROW_FINE : ROW_ZERO;
}

/* This family's tokenizers add one token before a text and one after. If pooling leaves out a prompt, it also
 * leaves out the token before the prompt. */
bool row_passes(enum row_verdict verdict, int32_t tokens, int32_t prompt_tokens) {
  const int32_t added = prompt_tokens > 0 ? prompt_tokens + 1 : 2;
  return verdict == ROW_FINE || (verdict == ROW_ZERO && tokens <= added);
}

bool row_refuse(enum row_verdict verdict, int32_t layer, int32_t layers, const char *advice,
                struct error *error) {
  const char *what = verdict == ROW_ZERO ? "all zero" : "not finite";
  char where[160];
  if (layer == ROW_LAYER_WIDTHS)
    return error_set(error, ERROR_DEVICE, "the text's row is %s: the layers' numbers are right, but %s", what,
                     verdict == ROW_ZERO
                         ? "too small for fp16 in the narrowest of --widths; pass a wider one"
                         : "too large for fp16, or too small for the row's length to be made 1; look at the "
                           "numbers of the model's last layer");
  if (layer == ROW_LAYER_NONE)
    snprintf(where, sizeof where,
             "a second run of the same batch was right, so the hardware may be failing (the kernel's log; "
             "for a card, nvidia-smi -q)");
  else if (layer == ROW_LAYER_EMBEDDING)
    snprintf(where, sizeof where, "the embedding, before layer 0, already gives such numbers");
  else if (layer == ROW_LAYER_POOLING)
    snprintf(where, sizeof where, "the layers are right, and pooling is the first that gives such numbers");
  else if (layer >= layers)
    snprintf(where, sizeof where, "Dense module %d, counted from 0, is the first that gives such numbers",
             layer - layers);
  else
    snprintf(where, sizeof where, "layer %d, of layers 0 to %d, is the first that gives such numbers", layer,
             layers - 1);
  return error_set(error, ERROR_DEVICE, "the text's row is %s: %s; %s", what, where, advice);
}
