/* The fault switch. With it a test makes the n-th write, fsync, rename or read fail or wait, or kills the
 * process there.
 *
 * NINA_FAULT holds a comma-separated list of SITE:N:ACTION. SITE is write, sync, rename, read, remove (of a
 * file in a job's folder) or discard (of a file of OUT). N counts the calls at this site from 1, over all
 * threads. ACTION is ENOSPC, EIO, EACCES, `kill` (SIGKILL to this process) or `wait` (the calling thread
 * waits until the file named by NINA_FAULT_UNTIL exists, then makes the call). `SITE:N+:ACTION` acts on the
 * n-th call and on every later call. If NINA_FAULT is not set, the switch costs one load per call.
 *
 * With `wait`, a test decides without a clock which of several ranks is faster.
 *
 * The first call to either function reads the variables, once. The counters are global: they belong
 * to the process, as the environment does. */
#pragma once

#include "io/error.h"

enum fault_site {
  FAULT_WRITE,
  FAULT_SYNC,
  FAULT_RENAME,
  FAULT_READ,
  FAULT_REMOVE,
  FAULT_DISCARD,
  FAULT_SITES
};

/* Call this right before the system call. Returns 0, or the errno that the call is to fail with. */
int fault_point(enum fault_site site);

/* False with ERROR_USAGE if NINA_FAULT does not follow the form above; then no fault is armed. A typing
 * mistake must not let a test pass in silence. A program asks once, when it starts. */
bool fault_check(struct error *error);
