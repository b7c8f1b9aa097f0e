/* Handles signals that report a fault, bounds how long the process may take to leave (SIGALRM), and handles
 * signals that end a run early:
 *
 *   first SIGINT, or SIGUSR1 (a scheduler's "time is nearly up")
 *       The encoder finishes the blocks that it has begun.
 *   SIGTERM, or SIGINT after any of these signals
 *       The blocks are dropped; commits that have begun are finished.
 *   this signal once more
 *       The process ends at once, without order. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/* Call this function first. After this call, a write into a closed pipe, or past the largest file size that
 * the system allows, returns an error and no longer ends the process. If a mapped file can no longer be
 * read, the process still ends, but with EXIT_FAILED and a sentence that names the file; likewise if oneDNN
 * uses an object for which it got no memory. */
void signals_begin(void);

/* Catches the signals that end a run early. Returns what the signals ask for (enum embed_stop). Call this
 * function before a command does anything: an uncaught signal ends the process. */
const atomic_int *signals_catch(void);

/* Returns the exit status for a run that ended with `status`. If SIGINT or SIGTERM stopped the run before its
 * end (EXIT_FAILED), the exit status is 128 + the signal's number, as in shells. A launcher such as mpirun
 * replaces such a status by its own, so if `launched`, the status stays. */
int signals_status(int status, bool launched);

/* Ends the process with `status` after a minute, unless signals_unbound is called before. `tell`: it is rank
 * 0, which says so. `all`: every rank is to end with EXIT_DONE; if not, rank 0 ends first. Nothing may be
 * left to do or to print. */
void signals_bound(int status, bool tell, bool all);
void signals_unbound(void);
