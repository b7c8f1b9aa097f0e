/* modules.json of sentence-transformers: the folder of each module. */
#pragma once

#include "host/model/dense.h"
#include "io/error.h"

struct modules {
  char *transformer; /* folder of config.json, the weights and the tokenizer; may be inside the model's */
  char *pooling;     /* folder of the pooling's config.json */
  char *dense[DENSE_MAX]; /* folders of the Dense modules' config.json and weights, in their order */
  int32_t dense_count;
  bool normalise; /* there is a Normalize module */
};

/* A module's class without its package: Pooling for sentence_transformers.models.Pooling. */
const char *module_class(const char *type);

/* Accepts Transformer, Pooling, up to DENSE_MAX Dense and, optionally, Normalize, in this order. Only the
 * last component of a module's type counts, so the paths in every version are known. Any other module is
 * ERROR_UNSUPPORTED. On failure nothing is left to free. */
bool modules_read(const char *folder, struct modules *modules, struct error *error);
void modules_free(struct modules *modules);
