#include "host/cli/exceptions.h"

extern "C" {
#include "host/model/sentencepiece.h"
}

#include <unistd.h>

#include <cstring>
#include <exception>
#include <new>

/* Allocates no memory: most likely the library failed because memory is short. */
static void tell(const char *sentence) {
  if (write(STDERR_FILENO, sentence, strlen(sentence)) < 0) return; /* no other place to report to */
}

[[noreturn]] static void on_exception() {
  const char *sentence = "nina: a library gave up, as libraries do if memory is short\n";
  try {
    if (std::current_exception()) throw;
  } catch (const std::bad_alloc &) {
    sentence = "nina: a library is out of memory\n";
  } catch (...) {
    sentence = "nina: a library failed with an exception that nobody caught\n";
  }
  tell(sentence);
  _exit(1); /* EXIT_FAILED */
}

/* Called when `new` finds no memory, before it throws. */
static void on_no_memory() {
  if (!piece_library_runs_here()) throw std::bad_alloc();
  tell("nina: out of memory in the sentencepiece library\n");
  _exit(1); /* EXIT_FAILED */
}

void exceptions_begin(void) {
  std::set_terminate(on_exception);
  std::set_new_handler(on_no_memory);
}

static void begin_early(int, char **, char **) {
  exceptions_begin();
}

/* The loader calls this before the constructors of the libraries, which allocate memory too. */
__attribute__((section(".preinit_array"), used)) static void (*const early)(int, char **,
                                                                            char **) = begin_early;
