#include "host/cpu/aligned.h"

#include <stdlib.h>

#define ALIGNMENT 64 /* bytes */

void *aligned_allocate(size_t bytes, const char *purpose, struct error *error) {
  const size_t whole = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  void *memory = aligned_alloc(ALIGNMENT, whole);
  if (!memory) error_set_memory(error, whole, purpose);
  return memory;
}
