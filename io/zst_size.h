/* What bytes would take in a file, without writing them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "io/error.h"

/* Size of these bytes as a zstd frame of that level; -1 on error (ERROR_MEMORY). */
int64_t zst_size(const void *bytes, size_t size, int level, struct error *error);
