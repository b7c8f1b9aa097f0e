/* Memory for what kernels and oneDNN read and write. */
#pragma once

#include <stddef.h>

#include "io/error.h"

/* At least `bytes` bytes, aligned to a cache line, which is also the widest vector (caller frees). NULL if
 * memory is short; `purpose` as in error_set_memory. */
void *aligned_allocate(size_t bytes, const char *purpose, struct error *error);
