/* modules.json of sentence-transformers: which module lies in which folder. */
#pragma once

#include "io/error.h"

struct modules {
  char *transformer; /* folder of config.json, the weights and the tokenizer: the model's own, or one inside
                        it */
  char *pooling;     /* folder of the pooling's config.json */
};

/* Accepts Transformer, Pooling and, optionally, Normalize, in this order. A module's type counts by its last
 * component, so that the paths of all versions are known. Any other module is ERROR_UNSUPPORTED. On failure
 * nothing is left to free. */
bool modules_read(const char *folder, struct modules *modules, struct error *error);
void modules_free(struct modules *modules);
