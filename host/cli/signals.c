#include "host/cli/signals.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/commands.h"
#include "host/cli/say.h"
#include "host/cpu/gemm.h"
#include "host/job/embed.h"
#include "io/mapped_file.h"

#define LEAVE_SECONDS 60
#define LEAVE_LATER 2
#define NOTHING_ENDS 65536 /* no object begins below: Linux maps nothing there (vm.mmap_min_addr) */

static atomic_int stop_requested; /* enum embed_stop; lock-free, so that a handler may set it */

static atomic_int ended_by; /* SIGINT or SIGTERM, or 0 */

static void on_interrupt(int number) {
  if (stop_requested == EMBED_GO) {
    stop_requested = EMBED_STOP_SOON;
  } else {
    stop_requested = EMBED_STOP_NOW;
    signal(number, SIG_DFL);
  }
  ended_by = number;
}

static void on_end(int number) {
  stop_requested = EMBED_STOP_NOW;
  ended_by = number;
  signal(number, SIG_DFL);
}

/* A scheduler may send the warning twice; the second one changes nothing. */
static void on_warning(int number) {
  (void)number;
  if (stop_requested == EMBED_GO) stop_requested = EMBED_STOP_SOON;
}

/* Like say(), but calls only functions that a signal handler may call. A character that could steer the
 * terminal becomes a question mark. */
static void handler_say(const char *name, const char *sentence) {
  static const char program[] = "nina: ";
  const size_t size = strlen(name);
  char line[1024];
  size_t used = sizeof program - 1;
  memcpy(line, program, used);
  for (size_t at = 0, length; at < size && used < sizeof line - 256; at += length) {
    bool printable;
    length = say_character(name + at, size - at, &printable);
    if (printable)
      memcpy(line + used, name + at, length);
    else
      line[used] = '?';
    used += printable ? length : 1;
  }
  for (; *sentence && used < sizeof line; used++) line[used] = *sentence++;
  for (size_t at = 0; at < used;) {
    const ssize_t put = write(STDERR_FILENO, line + at, used - at);
    if (put <= 0) return;
    at += (size_t)put;
  }
}

/* Leaves a fault to what handled it before: the fault comes again. A signal that a process sent does not. */
static void fault_leave(int number, const siginfo_t *info, const struct sigaction *before) {
  sigaction(number, before, NULL);
  if (info->si_code <= 0) raise(number);
}

/* Does not jump out of the handler: the thread may hold any lock. */
static void on_bus_error(int number, siginfo_t *info, void *context) {
  (void)context;
  const char *name = mapped_file_name(info->si_addr);
  if (name) {
    handler_say(name, " can no longer be read: it was shortened while it was in use, or its disk failed\n");
    _exit(EXIT_FAILED);
  }
  fault_leave(number, info, &(struct sigaction){.sa_handler = SIG_DFL});
}

/* What handled a segmentation fault before: the system, a sanitizer, or a library (UCX, which Debian 13's
 * Open MPI brings). Written before there are threads. */
static struct sigaction fault_before;

/* oneDNN does not check all its allocations (host/cpu/onednn.cpp). If an unchecked one fails, oneDNN uses an
 * object at address 0. Any other fault is nina's own and must leave a core. */
static void on_segmentation_fault(int number, siginfo_t *info, void *context) {
  (void)context;
  const bool nothing = info->si_code == SEGV_MAPERR && (uintptr_t)info->si_addr < NOTHING_ENDS;
  if (nothing && gemm_library_runs_here()) {
    handler_say("oneDNN",
                " used an object for which it got no memory: make memory free, or pass fewer --threads\n");
    _exit(EXIT_FAILED);
  }
  fault_leave(number, info, &fault_before);
}

static int bound_status;
static bool bound_tells;

static void on_bound(int number) {
  (void)number;
  if (bound_tells)
    handler_say(
        "the MPI library",
        " has not let this job end for a minute. Every rank has done its work, so the ranks end without it; "
        "the launcher may call that an error\n");
  _exit(bound_status);
}

/* A launcher that sees a rank end without the library may kill the others. So a rank 0 that returns an error
 * ends first: the launcher then returns it, or an error of its own. If all is well, all end at once: the
 * launcher then mostly returns 0. (Measured with MPICH 4.0.2.) */
void signals_bound(int status, bool tell, bool all) {
  bound_status = status;
  bound_tells = tell;
  struct sigaction bound = {.sa_handler = on_bound};
  sigemptyset(&bound.sa_mask);
  sigaction(SIGALRM, &bound, NULL);
  alarm(tell || all ? LEAVE_SECONDS : LEAVE_SECONDS + LEAVE_LATER);
}

void signals_unbound(void) {
  alarm(0);
}

static void catch_segmentation_fault(void) {
  struct sigaction fault = {.sa_sigaction = on_segmentation_fault, .sa_flags = SA_SIGINFO};
  sigemptyset(&fault.sa_mask);
  sigaction(SIGSEGV, &fault, &fault_before);
}

void signals_begin(void) {
  struct sigaction bus = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
  sigemptyset(&bus.sa_mask);
  sigaction(SIGBUS, &bus, NULL);
  catch_segmentation_fault();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

const atomic_int *signals_catch(void) {
  struct sigaction warning = {.sa_handler = on_warning, .sa_flags = SA_RESTART};
  sigemptyset(&warning.sa_mask);
  sigaction(SIGUSR1, &warning, NULL);
  signal(SIGINT, on_interrupt);
  signal(SIGTERM, on_end);
  return &stop_requested;
}

int signals_status(int status, bool launched) {
  return status == EXIT_FAILED && ended_by && !launched ? 128 + ended_by : status;
}
