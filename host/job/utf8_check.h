/* Checks that a user's text is UTF-8. */
#pragma once

#include "io/error.h"

/* ERROR_USAGE if the text is not UTF-8. `what` is the name of the text in the sentence. */
bool utf8_check(const char *text, const char *what, struct error *error);
