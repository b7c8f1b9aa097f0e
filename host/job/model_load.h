/* Opens a model and its tokenizer together. */
#pragma once

#include "host/model/model.h"
#include "host/model/tokenizer.h"
#include "io/run/manifest.h"

/* Opens both from a model's folder. ERROR_INPUT if the tokenizer has more pieces than the model's word table
 * has rows: then they are not of one model. On failure nothing is open, and both are NULL. */
bool model_load(const char *folder, enum tokenizer_engine engine, struct model **model,
                struct tokenizer **tokenizer, struct error *error);

/* The engine of a run's tokenizer: `asked`, or if that is TOKENIZER_AUTO, the engine of the run in OUT.
 * `manifest` is OUT's, or NULL. */
enum tokenizer_engine model_load_engine(enum tokenizer_engine asked, const struct manifest *manifest);
