/* Checks that a user's text is UTF-8. (io/json_scan.h cannot be included beside jansson's header.) */
#pragma once

#include <stdint.h>

#include "io/error.h"

/* True if these bytes are UTF-8. */
bool utf8_check_bytes(const char *bytes, int64_t length);

/* ERROR_USAGE if the text is not UTF-8. `what` is the name of the text in the sentence. */
bool utf8_check(const char *text, const char *what, struct error *error);
