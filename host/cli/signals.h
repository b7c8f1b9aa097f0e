/* Signals: those that tell of a fault, and those that end a run early. Of the latter, the first SIGINT, and
 * SIGUSR1 (a scheduler's "time is nearly up"): the blocks that the encoder has begun are finished. SIGTERM,
 * and the second SIGINT: they are dropped, and commits that have begun are finished. One more of either ends
 * the process without order. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/* To be called first. A write into a closed pipe, or past the largest file that the system allows, is from
 * now on an error of that write, and no longer ends the process. A mapped file that cannot be read any more
 * still ends it, but with a sentence that names the file, and with EXIT_FAILED. */
void signals_begin(void);

/* Catches what ends a run early, and returns what they ask for (enum embed_stop). To be called before a
 * command does anything: a signal ends a process that does not catch it. */
const atomic_int *signals_catch(void);

/* The exit status of a run that ended with `status`: of one that SIGINT or SIGTERM stopped, and that thus did
 * not come to its end (EXIT_FAILED), 128 + the signal's number, as shells have it. A launcher such as mpirun
 * makes such a status into one of its own, so under one the status stays. */
int signals_status(int status, bool launched);
