#include "host/cli/signals.h"

#include <signal.h>

#include "host/cli/commands.h"
#include "host/job/embed.h"

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

/* Schedulers may say it twice. */
static void on_warning(int number) {
  (void)number;
  if (stop_requested == EMBED_GO) stop_requested = EMBED_STOP_SOON;
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
