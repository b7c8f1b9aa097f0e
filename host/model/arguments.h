/* The arguments that sentence_bert_config.json hands on when sentence-transformers opens a model: to the
 * tokenizer, to the weights, and to config.json. */
#pragma once

#include "host/model/config_file.h"

/* ERROR_UNSUPPORTED if an argument would give other ids or rows than the folder's own files. Passed over are
 * arguments that say how to load, and arguments of the tokenizer that repeat tokenizer_config.json in
 * `folder`. (limit.h reads model_max_length and truncation_side.) */
bool arguments_check(const struct config_file *file, const char *folder, struct error *error);

/* The arguments of the tokenizer: tokenizer_args, in version 6 processor_kwargs. If both exist,
 * tokenizer_args counts. */
const char *arguments_of_tokenizer(const struct config_file *file);
