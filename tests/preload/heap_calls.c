/* Memory and threads. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/preload/call_sites.h"

/* The allocator behind ours: the C library's, or AddressSanitizer's if the program has it. Both are called by
 * names that need no look-up, since a look-up takes memory. */
#define ALLOCATOR(name)           \
  __typeof__(name) __libc_##name; \
  __typeof__(name) __interceptor_##name __attribute__((weak))
#define BEHIND(name) (__interceptor_##name ? __interceptor_##name : __libc_##name)
ALLOCATOR(malloc);
ALLOCATOR(calloc);
ALLOCATOR(realloc);
ALLOCATOR(memalign);

void *malloc(size_t size) {
  return call_fails(CALL_HEAP, CALLER) ? NULL : BEHIND(malloc)(size);
}

void *calloc(size_t count, size_t size) {
  return call_fails(CALL_HEAP, CALLER) ? NULL : BEHIND(calloc)(count, size);
}

void *realloc(void *memory, size_t size) {
  return call_fails(CALL_HEAP, CALLER) ? NULL : BEHIND(realloc)(memory, size);
}

void *memalign(size_t alignment, size_t size) {
  return call_fails(CALL_HEAP, CALLER) ? NULL : BEHIND(memalign)(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  return call_fails(CALL_HEAP, CALLER) ? NULL : BEHIND(memalign)(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  void *found = call_fails(CALL_HEAP, CALLER) ? NULL : BEHIND(memalign)(alignment, size);
  if (!found) return ENOMEM;
  *memory = found;
  return 0;
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  if (call_fails(CALL_MAP, CALLER)) return MAP_FAILED;
  return REAL(mmap)(address, length, protection, flags, descriptor, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int descriptor, off64_t offset) {
  if (call_fails(CALL_MAP, CALLER)) return MAP_FAILED;
  return REAL(mmap64)(address, length, protection, flags, descriptor, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *argument) {
  if (call_fails(CALL_THREAD, CALLER)) return errno;
  return REAL(pthread_create)(thread, attributes, function, argument);
}
