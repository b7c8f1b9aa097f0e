/* Makes the n-th allocation fail. The linker redirects our own calls (--wrap, in tests/unit/CMakeLists.txt),
 * and jansson's hooks redirect its calls. */
#pragma once

#include <jansson.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *bytes, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *bytes, size_t size);

static int memory_left; /* allocations up to the one that fails; 0: none fails */

static inline bool memory_fails(void) {
  return memory_left > 0 && --memory_left == 0;
}

void *__wrap_malloc(size_t size) {
  return memory_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return memory_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *bytes, size_t size) {
  return memory_fails() ? NULL : __real_realloc(bytes, size);
}

/* n: 1 for the next allocation; 0: none fails from now on. */
static inline void memory_fails_at(int n) {
  json_set_alloc_funcs(__wrap_malloc, free);
  memory_left = n;
}
