/* Opens a model and its tokenizer together. */
#pragma once

#include "host/model/model.h"
#include "host/model/tokenizer.h"

/* Opens both from a model's folder. ERROR_INPUT if the tokenizer has more pieces than the model's word table
 * has rows: then they are not of one model. On failure nothing is open, and both are NULL. */
bool model_load(const char *folder, struct model **model, struct tokenizer **tokenizer, struct error *error);
