/* A Dense module of sentence-transformers: y = activation(W x + b), on the row that the modules before it
 * have made. */
#pragma once

#include <stdint.h>

#include "host/model/activation.h"
#include "io/error.h"

#define DENSE_MAX 8 /* Dense modules in a model */

struct dense_config {
  int32_t inputs, outputs;
  bool bias; /* false: b is zero */
  enum activation activation;
};

struct config_file;

/* Of a module that reads and writes the pooled row (Dense, Normalize): ERROR_UNSUPPORTED if the file names
 * something else to read or write. */
bool row_module_check(const struct config_file *file, struct error *error);

/* Reads the config.json in the module's folder. ERROR_UNSUPPORTED if the activation is not known, or if the
 * module does more than the formula above. ERROR_INPUT if in_features is not `inputs`, the width of the row
 * before. */
bool dense_read(const char *folder, int32_t inputs, struct dense_config *dense, struct error *error);
