/* Fails a program's n-th allocation. For tests: LD_PRELOAD=…/libfail_allocation.so
 *
 *     NINA_ALLOCATION=SITE:N    the N-th call at the site (from 1, over all threads) fails
 *     NINA_ALLOCATION=SITE:N+   the N-th call and every later one fail
 *     NINA_ALLOCATION_COUNT=FILE    writes one line for each site to FILE when the program ends: "SITE CALLS"
 *     NINA_ALLOCATION_STACK=1   writes the stack of a call that fails to standard error
 *
 * SITE is `heap` (malloc, calloc, realloc and the aligned ones, also those of libraries and of C++'s new) or
 * `map` (mmap by the program or a library; not the C library's own calls).
 *
 * Calls count from the start of main. What libraries allocate while they are loaded is not the program's to
 * survive. A new site is a value of enum site, its name, and the function that calls site_fails.
 *
 * Segmentation faults have a handler before main, as under UCX, which some MPIs bring: it ends the program
 * with status 96. The program's own handler must come first. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum site { SITE_HEAP, SITE_MAP, SITES };
static const char *const names[SITES] = {"heap", "map"};

static struct {
  atomic_llong calls;
  long long first; /* call that fails; 0: none */
  bool later;      /* all calls after it fail too */
} sites[SITES];

static atomic_bool counting; /* main has begun */
static bool stack_wanted;
static const char *count_path;

/* The C library's own functions, so that nothing here needs memory to find them. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void stack_write(void) {
  static _Thread_local bool inside; /* backtrace may allocate */
  void *address[64];
  if (!stack_wanted || inside) return;
  inside = true;
  backtrace_symbols_fd(address, backtrace(address, 64), STDERR_FILENO);
  inside = false;
}

static bool site_fails(enum site site) {
  if (!atomic_load_explicit(&counting, memory_order_relaxed)) return false;
  const long long call = atomic_fetch_add(&sites[site].calls, 1) + 1;
  const long long first = sites[site].first;
  if (first == 0 || call < first || (call > first && !sites[site].later)) return false;
  stack_write();
  errno = ENOMEM;
  return true;
}

void *malloc(size_t size) {
  return site_fails(SITE_HEAP) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  return site_fails(SITE_HEAP) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
  return site_fails(SITE_HEAP) ? NULL : __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
  return site_fails(SITE_HEAP) ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (site_fails(SITE_HEAP)) return ENOMEM;
  void *found = __libc_memalign(alignment, size);
  if (!found) return ENOMEM;
  *memory = found;
  return 0;
}

/* The library's function behind ours. */
static void next_find(const char *name, void *function) {
  void *found = dlsym(RTLD_NEXT, name);
  memcpy(function, &found, sizeof found); /* ISO C has no cast from an object's pointer to a function's */
}

typedef void *mmap_fn(void *, size_t, int, int, int, off_t);

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  static _Atomic(mmap_fn *) real;
  mmap_fn *function = atomic_load(&real);
  if (!function) {
    next_find("mmap", &function);
    atomic_store(&real, function);
  }
  return site_fails(SITE_MAP) ? MAP_FAILED : function(address, length, protection, flags, descriptor, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int descriptor, off64_t offset) {
  return mmap(address, length, protection, flags, descriptor, offset);
}

/* Reads NINA_ALLOCATION. A slip in a test's value must not pass for a run without a failure. */
static void failure_read(const char *value) {
  for (int site = 0; value && site < SITES; site++) {
    const size_t length = strlen(names[site]);
    if (strncmp(value, names[site], length) != 0 || value[length] != ':') continue;
    char *end;
    sites[site].first = strtoll(value + length + 1, &end, 10);
    sites[site].later = *end == '+';
    if (sites[site].first > 0 && end[sites[site].later] == '\0') return;
    break;
  }
  static const char slip[] = "NINA_ALLOCATION is not SITE:N or SITE:N+\n";
  if (!value) return;
  const ssize_t put = write(STDERR_FILENO, slip, sizeof slip - 1);
  _exit(put < 0 ? 98 : 97);
}

static void counts_write(void) {
  char text[256];
  int used = 0;
  atomic_store(&counting, false);
  const int file = open(count_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  for (int site = 0; site < SITES; site++)
    used += snprintf(text + used, sizeof text - (size_t)used, "%s %lld\n", names[site],
                     atomic_load(&sites[site].calls));
  if (file < 0 || write(file, text, (size_t)used) != used) abort();
  close(file);
}

static int (*program)(int, char **, char **);

static int counted(int argc, char **argv, char **variables) {
  void *address[1];
  failure_read(getenv("NINA_ALLOCATION"));
  stack_wanted = getenv("NINA_ALLOCATION_STACK") != NULL;
  if (stack_wanted) backtrace(address, 1); /* loads what it needs */
  count_path = getenv("NINA_ALLOCATION_COUNT");
  if (count_path) atexit(counts_write);
  atomic_store(&counting, true);
  return program(argc, argv, variables);
}

typedef int start_fn(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                     void (*)(void), void *);
start_fn __libc_start_main;

static void on_fault(int number) {
  (void)number;
  _exit(96);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*begin)(void),
                      void (*end)(void), void (*loader_end)(void), void *stack) {
  start_fn *start;
  next_find("__libc_start_main", &start);
  program = main;
  signal(SIGSEGV, on_fault);
  return start(counted, argc, argv, begin, end, loader_end, stack);
}
