#include "io/json_parse.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool failed;     /* an allocation, since somebody looked */
static _Thread_local jmp_buf *escape; /* out of the parser; NULL elsewhere */

/* The parser does not look whether its buffer could grow, and then reads past what it holds: it must not see
 * a failed allocation at all. It holds nothing but memory, so leaving it by a jump loses only that. */
static void *json_allocate(size_t size) {
  void *memory = malloc(size);
  if (memory) return memory;
  failed = true;
  if (escape) longjmp(*escape, 1);
  return NULL;
}

static void allocate_through_us(void) {
  json_set_alloc_funcs(json_allocate, free);
}

static void allocations_watch(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, allocate_through_us);
}

static json_t *out_of_memory(json_error_t *problem) {
  static const char sentence[] = "out of memory";
  memset(problem, 0, sizeof *problem);
  memcpy(problem->text, sentence, sizeof sentence);
  problem->text[sizeof problem->text - 1] = (char)json_error_out_of_memory; /* where jansson keeps the code */
  return NULL;
}

json_t *json_parse(const char *text, size_t size, size_t flags, json_error_t *problem) {
  jmp_buf here;
  allocations_watch();
  if (setjmp(here)) {
    escape = NULL;
    return out_of_memory(problem);
  }
  escape = &here;
  json_t *value = json_loadb(text, size, flags, problem);
  escape = NULL;
  return value;
}

json_t *json_parse_own(const char *text) {
  json_error_t problem;
  return json_parse(text, strlen(text), JSON_DECODE_ANY, &problem);
}

char *json_print(const json_t *value, size_t flags) {
  allocations_watch();
  const bool before = failed;
  failed = false;
  char *text = json_dumps(value, flags);
  if (failed) {
    free(text);
    text = NULL;
  }
  failed |= before;
  return text;
}

bool json_memory_failed(void) {
  allocations_watch();
  const bool found = failed;
  failed = false;
  return found;
}
