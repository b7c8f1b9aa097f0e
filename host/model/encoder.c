#include "host/model/encoder.h"

#include <string.h>

static const char *const precision_names[] = {[PRECISION_AUTO] = "auto",
                                              [PRECISION_FP32] = "fp32",
                                              [PRECISION_BF16] = "bf16",
                                              [PRECISION_FP16] = "fp16",
                                              [PRECISION_INT8] = "int8"};

#define PRECISIONS (sizeof precision_names / sizeof *precision_names)

const char *precision_name(enum precision precision) {
  return (size_t)precision < PRECISIONS ? precision_names[precision] : "unknown";
}

bool precision_parse(const char *name, enum precision *precision) {
  for (size_t i = 0; i < PRECISIONS; i++) {
    if (strcmp(name, precision_names[i]) != 0) continue;
    *precision = (enum precision)i;
    return true;
  }
  return false;
}

bool batch_check(const struct batch *batch, int32_t vocabulary, int32_t batch_tokens, int32_t max_tokens,
                 struct error *error) {
  const int32_t tokens = batch->sequences > 0 ? batch->offsets[batch->sequences] : 0;
  if (batch->sequences < 1 || batch->offsets[0] != 0 || (tokens > batch_tokens && batch->sequences > 1))
    return error_set(error, ERROR_USAGE,
                     "a batch of %d sequences and %d tokens: expected 1 or more, and at most %d",
                     batch->sequences, tokens, batch_tokens);
  for (int32_t s = 0; s < batch->sequences; s++) {
    const int64_t length = (int64_t)batch->offsets[s + 1] - batch->offsets[s];
    if (length < 1 || length > max_tokens)
      return error_set(error, ERROR_USAGE, "sequence %d of a batch has %lld tokens: expected 1 to %d", s,
                       (long long)length, max_tokens);
  }
  for (int32_t t = 0; t < tokens; t++)
    if (batch->ids[t] < 0 || batch->ids[t] >= vocabulary)
      return error_set(error, ERROR_INPUT,
                       "token id %d is not in the model's word table of %d rows: tokenizer and model do not "
                       "belong together",
                       batch->ids[t], vocabulary);
  return true;
}

bool encoder_options_check(const struct encoder_options *options, const struct model_shape *shape,
                           struct error *error) {
  if (options->width_count < 1 || options->width_count > WIDTHS_MAX || options->widths[0] > shape->widest)
    return error_set(error, ERROR_USAGE, "%d widths, the widest %d: expected 1 to %d of at most %d",
                     options->width_count, options->widths[0], WIDTHS_MAX, shape->widest);
  for (int32_t w = 0; w < options->width_count; w++)
    if (options->widths[w] < 1 || (w && options->widths[w] >= options->widths[w - 1]))
      return error_set(error, ERROR_USAGE, "width %d: widths must be positive and strictly decreasing",
                       options->widths[w]);
  if (options->max_tokens < 1 || options->max_tokens > shape->positions - shape->first_position)
    return error_set(error, ERROR_USAGE, "a longest input of %d tokens: the model has positions for 1 to %d",
                     options->max_tokens, shape->positions - shape->first_position);
  return true;
}
