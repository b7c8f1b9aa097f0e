/* A path as one word of a shell's command line, for sentences that tell people what to type. */
#pragma once

#include "io/text.h"

/* Appends the word. A word that a shell would change (blanks, quotes, `$`, `*` …) stands in single quotes, or
 * in $'…' if it has control characters, which no terminal should see. `./` comes before a dash that would
 * begin an option. */
void text_append_word(struct text *text, const char *word);
