/* The signals that end a run early: SIGINT and SIGTERM at once but in order, a second one without order;
 * SIGUSR1, a scheduler's "time is nearly up", with the blocks in flight finished. */
#pragma once

#include <signal.h>

/* Catches them, and returns what they ask for (enum embed_stop). To be called first: a signal ends a process
 * that does not catch it. */
const volatile sig_atomic_t *signals_catch(void);
