/* The signals that end a run early. The first SIGINT, and SIGUSR1 (a scheduler's "time is nearly up"): the
 * blocks that the encoder has begun are finished. SIGTERM, and the second SIGINT: they are dropped, and
 * commits that have begun are finished. One more of either ends the process without order. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/* Catches them, and returns what they ask for (enum embed_stop). To be called first: a signal ends a process
 * that does not catch it. */
const atomic_int *signals_catch(void);

/* The exit status of a run that ended with `status`: of one that SIGINT or SIGTERM stopped, and that thus did
 * not come to its end (EXIT_FAILED), 128 + the signal's number, as shells have it. A launcher such as mpirun
 * makes such a status into one of its own, so under one the status stays. */
int signals_status(int status, bool launched);
