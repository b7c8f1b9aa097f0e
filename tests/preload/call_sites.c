#include "tests/preload/call_sites.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/preload/call_record.h"

#define MODULES_MAX 64
#define DESCRIPTORS_MAX 256

/* What a rule does, beside failing with an errno. */
enum { CALL_SHORT = 0, CALL_STOP = -1 };

static const struct {
  const char *name;
  int number; /* the errno that a failure has unless the variable says otherwise */
} sites[CALL_SITES] = {
    [CALL_HEAP] = {"heap", ENOMEM},     [CALL_MAP] = {"map", ENOMEM},
    [CALL_THREAD] = {"thread", EAGAIN}, [CALL_OPEN] = {"open", EMFILE},
    [CALL_CLOSE] = {"close", EIO},      [CALL_READ] = {"read", EIO},
    [CALL_WRITE] = {"write", ENOSPC},   [CALL_FLUSH] = {"flush", EIO},
    [CALL_SYNC] = {"sync", EIO},        [CALL_RENAME] = {"rename", EACCES},
    [CALL_LINK] = {"link", ENOSPC},     [CALL_REMOVE] = {"remove", EACCES},
    [CALL_FOLDER] = {"folder", ENOSPC}, [CALL_TRUNCATE] = {"truncate", EIO},
    [CALL_LOOK] = {"look", EIO},        [CALL_LIST] = {"list", EIO},
    [CALL_MPI] = {"mpi", EIO},
};

static const struct {
  const char *name;
  int number;
} actions[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EMFILE", EMFILE},    {"ENOMEM", ENOMEM},
               {"EAGAIN", EAGAIN}, {"EACCES", EACCES}, {"EPERM", EPERM},      {"EINTR", EINTR},
               {"ESTALE", ESTALE}, {"EDQUOT", EDQUOT}, {"short", CALL_SHORT}, {"stop", CALL_STOP}};

static atomic_llong calls[CALL_SITES];
static atomic_bool counting; /* main has begun, and has not ended */
static atomic_bool library_exits;

/* Written before `counting`, then only read. */
static struct {
  enum call_site site;
  long long first; /* call that fails; 0: none */
  bool later;      /* calls after it fail too */
  int number;      /* errno, CALL_SHORT or CALL_STOP */
} rule;
static bool stack_wanted;
static const char *count_path;
static struct { uintptr_t from, to; } modules[MODULES_MAX];
static int module_count;
static atomic_bool open_here[DESCRIPTORS_MAX]; /* opened by a call that counted, and not closed since */

static void stack_write(void) {
  static _Thread_local bool inside; /* backtrace may allocate */
  void *address[64];
  if (!stack_wanted || inside) return;
  inside = true;
  backtrace_symbols_fd(address, backtrace(address, 64), STDERR_FILENO);
  inside = false;
}

bool call_is_counted(const void *caller) {
  if (!atomic_load_explicit(&counting, memory_order_acquire)) return false;
  const uintptr_t at = (uintptr_t)caller;
  for (int i = 0; i < module_count; i++)
    if (at >= modules[i].from && at < modules[i].to) return true;
  return false;
}

enum call_outcome call_outcome(enum call_site site, const void *caller) {
  if (!call_is_counted(caller)) return OUTCOME_PASS;
  const long long call = atomic_fetch_add(&calls[site], 1) + 1;
  if (rule.first == 0 || rule.site != site || call < rule.first || (call > rule.first && !rule.later))
    return OUTCOME_PASS;
  if (rule.number == EINTR && (call - rule.first) % 2 == 1) return OUTCOME_PASS;
  stack_write();
  if (rule.number == CALL_SHORT) return OUTCOME_SHORT;
  if (rule.number == CALL_STOP) {
    raise(SIGSTOP);
    return OUTCOME_PASS;
  }
  errno = rule.number;
  return OUTCOME_FAIL;
}

bool call_fails(enum call_site site, const void *caller) {
  return call_outcome(site, caller) == OUTCOME_FAIL;
}

/* A module counts unless it is MPI's, or was loaded by MPI. (What is loaded after main has begun is not in
 * the list.) Among ranks the C library's own allocations do not count either: it makes some of them for MPI.
 */
static int module_add(struct dl_phdr_info *info, size_t size, void *context) {
  static const char *const strangers[] = {"libmpi",    "libopen-", "libpmix",     "libprrte",
                                          "libevent",  "libhwloc", "libuc",       "libfabric",
                                          "libOpenCL", "libudev",  "libfail_call"};
  (void)size, (void)context;
  for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
    if (strstr(info->dlpi_name, strangers[i])) return 0;
  const bool system = strstr(info->dlpi_name, "/libc.so") || strstr(info->dlpi_name, "/ld-linux");
  if (system && getenv("OMPI_COMM_WORLD_SIZE")) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || module_count == MODULES_MAX) continue;
    modules[module_count].from = info->dlpi_addr + part->p_vaddr;
    modules[module_count].to = modules[module_count].from + part->p_memsz;
    module_count++;
  }
  return 0;
}

/* SITE:N[+][:ACTION]. False if the value is something else. */
static bool rule_read(const char *value) {
  int site = 0;
  size_t length = 0;
  for (; site < CALL_SITES; site++) {
    length = strlen(sites[site].name);
    if (strncmp(value, sites[site].name, length) == 0 && value[length] == ':') break;
  }
  if (site == CALL_SITES) return false;
  char *end;
  rule.site = (enum call_site)site;
  rule.first = strtoll(value + length + 1, &end, 10);
  rule.later = *end == '+';
  rule.number = sites[site].number;
  end += rule.later;
  if (rule.first < 1) return false;
  if (*end == '\0') return true;
  for (size_t i = 0; *end == ':' && i < sizeof actions / sizeof actions[0]; i++)
    if (strcmp(end + 1, actions[i].name) == 0) {
      rule.number = actions[i].number;
      return rule.number != CALL_SHORT || site == CALL_READ || site == CALL_WRITE;
    }
  return false;
}

static void counts_write(void) {
  char text[512];
  int used = 0;
  const int file = open(count_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  for (int site = 0; site < CALL_SITES; site++)
    used += snprintf(text + used, sizeof text - (size_t)used, "%s %lld\n", sites[site].name,
                     atomic_load(&calls[site]));
  if (file < 0 || write(file, text, (size_t)used) != used) abort();
  close(file);
}

void descriptor_opened(int descriptor, const void *caller) {
  if (descriptor >= 0 && descriptor < DESCRIPTORS_MAX)
    atomic_store(&open_here[descriptor], call_is_counted(caller));
}

void descriptor_closed(int descriptor) {
  if (descriptor >= 0 && descriptor < DESCRIPTORS_MAX) atomic_store(&open_here[descriptor], false);
}

static bool descriptors_leak(void) {
  bool leak = false;
  for (int descriptor = 3; descriptor < DESCRIPTORS_MAX; descriptor++) {
    char link[64], path[512];
    if (!atomic_load(&open_here[descriptor]) || fcntl(descriptor, F_GETFD) < 0) continue;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = '\0';
    dprintf(STDERR_FILENO, "fail_call: descriptor %d is still open at the end: %s\n", descriptor, path);
    leak = true;
  }
  return leak;
}

/* The program returns from main or calls _exit. A library that gives up (libgomp without memory) comes here.
 */
void exit(int status) {
  atomic_store(&library_exits, true);
  REAL(exit)(status);
  abort();
}

static void calls_end(void) {
  atomic_store(&counting, false);
  if (count_path) counts_write();
  record_end();
  if (!atomic_load(&library_exits) && descriptors_leak()) _exit(95);
}

void calls_begin(void) {
  void *address[1];
  const char *value = getenv("NINA_CALL"), *record = getenv("NINA_CALL_RECORD");
  if (value && !rule_read(value)) { /* a slip in a test's value must not pass for a run without a failure */
    static const char slip[] = "NINA_CALL is not SITE:N or SITE:N+, with or without :ACTION\n";
    const ssize_t put = write(STDERR_FILENO, slip, sizeof slip - 1);
    _exit(put < 0 ? 98 : 97);
  }
  stack_wanted = getenv("NINA_CALL_STACK") != NULL;
  if (stack_wanted) backtrace(address, 1); /* loads what it needs */
  count_path = getenv("NINA_CALL_COUNT");
  if (record) record_begin(record);
  dl_iterate_phdr(module_add, NULL);
  atexit(calls_end);
  atomic_store_explicit(&counting, true, memory_order_release);
}
