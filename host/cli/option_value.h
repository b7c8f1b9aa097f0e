/* Values of options and of keys in .ini files. */
#pragma once

#include "host/cli/options.h"

/* Parses a value, and stores it in its place in `target`. `value` is NULL for a flag without a value. */
bool option_store(const struct option_spec *spec, const char *value, void *target, struct error *error);

/* What an option takes, for shell completion. */
enum value_kind { VALUE_NONE, VALUE_TEXT, VALUE_FILE, VALUE_FOLDER, VALUE_WORDS };

/* *words: for VALUE_WORDS the words, then NULL. */
enum value_kind option_takes(const struct option_spec *spec, const char *const **words);
