#include "io/run/lock_owner.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/json_parse.h"
#include "io/proc.h"

#define PROC_BYTES 1024    /* for a line of /proc/<pid>/stat: some 50 numbers */
#define ORPHAN_NAPS 50     /* a tenth of a second each */
#define START_UNKNOWN (-1) /* a process of this number lives, and /proc does not show it */

/* Field 22 of /proc/<process>/stat; 0 if there is no such process, or only its zombie. False if the system
 * cannot tell. */
static bool process_start(int64_t process, int64_t *start, struct error *error) {
  char path[48], text[PROC_BYTES];
  *start = 0;
  snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", process);
  if (!proc_read(path, text, sizeof text, error)) return false;
  /* A system may hide the processes of others. */
  if (!*text && process > 0 && process <= INT32_MAX && (kill((pid_t)process, 0) == 0 || errno == EPERM))
    *start = START_UNKNOWN;
  /* The second field is the program's name in brackets and may contain anything. */
  const char *at = strrchr(text, ')');
  if (at && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0)) return true;
  for (int field = 2; at && field < 22; field++)
    if ((at = strchr(at, ' '))) at++;
  if (at) *start = strtoll(at, NULL, 10);
  return true;
}

/* The lock is JSON, and a host's name may be any bytes. */
static void host_make_plain(char *host) {
  for (; *host; host++)
    if (*host <= ' ' || *host > '~' || *host == '"' || *host == '\\') *host = '_';
}

bool lock_owner_self(struct lock_owner *owner, struct error *error) {
  char namespace[sizeof owner->namespace];
  memset(owner, 0, sizeof *owner);
  owner->process = getpid();
  owner->parent = getppid();
  /* "pid:[4026531836]"; the unread rest stays zero */
  if (!machine_here(&owner->machine, error) ||
      !proc_read_link("/proc/self/ns/pid", namespace, sizeof namespace, error) ||
      !process_start(owner->process, &owner->start, error))
    return false;
  host_make_plain(owner->machine.host);
  snprintf(owner->namespace, sizeof owner->namespace, "%s", namespace);
  return true;
}

int lock_owner_print(char text[LOCK_BYTES_MAX], const struct lock_owner *owner, int64_t counter) {
  return snprintf(text, LOCK_BYTES_MAX,
                  "{\"host\":\"%s\",\"boot\":\"%s\",\"namespace\":\"%s\",\"pid\":%" PRId64
                  ",\"start\":%" PRId64 ",\"parent\":%" PRId64 ",\"counter\":%19" PRId64 "}\n",
                  owner->machine.host, owner->machine.boot, owner->namespace, owner->process, owner->start,
                  owner->parent, counter);
}

bool lock_owner_parse(const char *text, struct lock_owner *owner, bool *whole, struct error *error) {
  const char *host, *boot, *namespace = "";
  json_int_t process, start, parent, counter;
  memset(owner, 0, sizeof *owner);
  json_error_t problem;
  json_memory_failed();
  json_t *json = json_parse(text, strlen(text), 0, &problem);
  *whole = json && json_unpack(json, "{s:s, s:s, s?:s, s:I, s:I, s:I, s:I}", "host", &host, "boot", &boot,
                               "namespace", &namespace, "pid", &process, "start", &start, "parent", &parent,
                               "counter", &counter) == 0;
  if (*whole) {
    snprintf(owner->machine.host, sizeof owner->machine.host, "%s", host);
    snprintf(owner->machine.boot, sizeof owner->machine.boot, "%s", boot);
    snprintf(owner->namespace, sizeof owner->namespace, "%s", namespace);
    owner->process = process;
    owner->start = start;
    owner->parent = parent;
  }
  json_decref(json);
  return !json_memory_failed() || error_set_memory(error, strlen(text), "a lock");
}

bool lock_owner_is_here(const struct lock_owner *owner, const struct lock_owner *self) {
  return *self->machine.boot && *self->namespace && owner->start > 0 &&
         machine_same(&owner->machine, &self->machine) && strcmp(owner->namespace, self->namespace) == 0;
}

bool lock_owner_look(const struct lock_owner *owner, enum owner_state *state, struct error *error) {
  int64_t start;
  const bool ok = process_start(owner->process, &start, error);
  *state = start == START_UNKNOWN ? OWNER_HIDDEN : start == owner->start ? OWNER_LIVES : OWNER_GONE;
  return ok;
}

bool lock_owner_await(const struct lock_owner *owner, enum owner_state *state, struct error *error) {
  const struct timespec nap = {.tv_nsec = 100 * 1000 * 1000};
  int64_t parent;
  for (int naps = 0;; naps++) {
    if (!lock_owner_look(owner, state, error) || !process_start(owner->parent, &parent, error)) return false;
    if (*state != OWNER_LIVES || naps == ORPHAN_NAPS || parent != 0) return true;
    nanosleep(&nap, NULL);
  }
}
