/* Walks over the entries of a folder. */
#pragma once

#include "io/error.h"

/* Calls `visit` for every entry of a folder, in no set order; a missing folder has no entries. Stops if
 * `visit` returns false. If the folder cannot be read, errno is the reason. */
typedef bool folder_fn(void *context, const char *name, struct error *error);
bool folder_visit(const char *path, folder_fn *visit, void *context, struct error *error);
