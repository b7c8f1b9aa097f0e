/* The fault switch: how a test makes the n-th write, fsync, rename or read fail or wait, or the process die
 * there.
 *
 * NINA_FAULT holds a comma-separated list of SITE:N:ACTION. SITE is write, sync, rename, read or
 * remove (of a file in a job's folder); N counts that site's calls from 1, over all threads; ACTION is
 * ENOSPC, EIO, EACCES, `kill` (SIGKILL to this process) or `wait` (the calling thread waits until a file
 * named by NINA_FAULT_UNTIL is there, and then makes the call). `SITE:N+:ACTION` acts on the n-th call and
 * every one after it. Unset, the switch costs one load per call.
 *
 * `wait` is how a test decides which of several ranks is the faster one, without a clock.
 *
 * The variables are read once, at the first call of either function. The counters are this project's only
 * global mutable state: they belong to the process, as the environment does. */
#pragma once

#include "io/error.h"

enum fault_site { FAULT_WRITE, FAULT_SYNC, FAULT_RENAME, FAULT_READ, FAULT_REMOVE, FAULT_SITES };

/* To be called before the system call of that kind. Returns 0, or the errno with which the call is to fail.
 */
int fault_point(enum fault_site site);

/* False, with ERROR_USAGE, where NINA_FAULT does not read as above: a test with a slip in it must not pass in
 * silence. Then no fault is armed at all. A program asks once, when it starts. */
bool fault_check(struct error *error);
