/* Stands in front of main. Segmentation faults get a handler before main, as under UCX, which some MPIs
 * bring: it ends the program with status 96. The program's own handler must come first. */
#include <signal.h>
#include <unistd.h>

#include "tests/preload/call_sites.h"

void __asan_init(void) __attribute__((weak)); /* it has a handler of its own, which must stay */

typedef int main_fn(int, char **, char **);

static main_fn *program;

static int counted(int argc, char **argv, char **variables) {
  calls_begin();
  return program(argc, argv, variables);
}

static void on_fault(int number) {
  (void)number;
  _exit(96);
}

int __libc_start_main(main_fn *main, int argc, char **argv, void (*begin)(void), void (*end)(void),
                      void (*loader_end)(void), void *stack);

int __libc_start_main(main_fn *main, int argc, char **argv, void (*begin)(void), void (*end)(void),
                      void (*loader_end)(void), void *stack) {
  program = main;
  if (!__asan_init) signal(SIGSEGV, on_fault);
  return REAL(__libc_start_main)(counted, argc, argv, begin, end, loader_end, stack);
}
