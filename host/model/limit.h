/* The longest input of a model, by the rule of sentence-transformers 6. The first setting that exists
 * decides:
 *
 *   processing_kwargs.common.max_length, processing_kwargs.text.max_length   sentence_bert_config.json
 *   tokenizer_args.model_max_length, or processor_kwargs.model_max_length    sentence_bert_config.json
 *   max_seq_length                                                           sentence_bert_config.json
 *   model_max_length, or max_len                                             tokenizer_config.json
 *
 * The limit never goes past the position table: sentence-transformers would fail there. (In versions 3 to 5,
 * max_seq_length came before tokenizer_args.) */
#pragma once

#include <stdint.h>

#include "io/error.h"

/* `folder` is the transformer module's; `table` is the number of positions that a text can have. A setting
 * that changes the ids in another way (do_lower_case, cutting on the left, no special tokens) is
 * ERROR_UNSUPPORTED. */
bool limit_read(const char *folder, int32_t table, int32_t *max_tokens, struct error *error);
