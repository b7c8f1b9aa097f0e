/* Whether what a user typed is UTF-8. */
#pragma once

#include "io/error.h"

/* ERROR_USAGE for a text that is not; `what` names it in the sentence. */
bool utf8_check(const char *text, const char *what, struct error *error);
