/* Prints what `nina info` says: lines for people, or with `json` one JSON value for programs. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "io/error.h"

/* Describes a model folder. Reads all bytes of the weights to compute the identity, and refuses weights that
 * are not finite. */
bool info_model(const char *folder, bool json, struct error *error);

/* Describes the output folder of a run, from its manifest. */
bool info_output(const char *folder, bool json, struct error *error);

/* Describes the CUDA cards of this machine and their libraries, or says why there is no card. */
bool info_devices(bool json, struct error *error);

/* Prints a new JSON value, which may be NULL, on lines of its own. ERROR_MEMORY if json_memory_failed()
 * since the command began: a part of the value may then be missing. */
bool info_print_json(json_t *value, struct error *error);
