/* What `nina info` says of a thing: as lines for people, or, with `json`, as one JSON value for programs. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "io/error.h"

/* A model folder. Reads every byte of the weights, for the identity, and refuses those that are not finite.
 */
bool info_model(const char *folder, bool json, struct error *error);

/* A folder that a run wrote, by its manifest. */
bool info_output(const char *folder, bool json, struct error *error);

/* The CUDA cards of this machine and the libraries that they compute with, or why there is none. */
bool info_devices(bool json, struct error *error);

/* Prints a new value, which may be NULL, on lines of its own. ERROR_MEMORY if json_memory_failed() since the
 * command began: something may be missing in it. */
bool info_print_json(json_t *value, struct error *error);
