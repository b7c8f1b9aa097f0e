/* Prints what `nina info` says: lines for people, or with `json` one JSON value for programs. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "host/model/tokenizer.h"
#include "io/error.h"

/* Describes a model folder. Reads all weights to compute the identity, and refuses weights that are not
 * finite. */
bool info_model(const char *folder, enum tokenizer_engine engine, bool json, struct error *error);

/* Describes a run's output folder, from its manifest. */
bool info_output(const char *folder, bool json, struct error *error);

/* Describes this machine's CUDA cards and their libraries, or says why there is no card. */
bool info_devices(bool json, struct error *error);

/* ERROR_USAGE if a name from the user cannot stand in JSON. */
bool info_check_name(const char *name, struct error *error);

/* Prints a new JSON value, which may be NULL, on its own lines, and frees it. ERROR_MEMORY if
 * json_memory_failed() since the command began: the value may then be incomplete. */
bool info_print_json(json_t *value, struct error *error);
