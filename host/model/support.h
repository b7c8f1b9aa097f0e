/* Models that nina does not run, by name: what each one needs that nina lacks. */
#pragma once

#include "io/error.h"

/* Ends an error sentence about a model that does not run. */
#define SUPPORT_TABLE "which models run: host/model/README.md, \"What runs\""

/* Refuses a model folder that says of itself that it is of another kind: config_sentence_transformers.json
 * (sparse, several vectors a text, cross-encoder), modules.json (images, static embeddings …), or
 * config.json's model_type and architectures. ERROR_UNSUPPORTED gives the file, its value, the model's name
 * and what nina lacks. Anything that is not known here passes: other readers judge it. Reads nothing else. */
bool support_check(const char *folder, struct error *error);
