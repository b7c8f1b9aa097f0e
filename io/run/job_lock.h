/* OUT/job.lock: so that two jobs that somebody started on one OUT by mistake do not do the same work twice.
 *
 * It spares work and nothing else: of two jobs that are at work all the same, the later one shuts the earlier
 * out (io/run/job_folder.h), so OUT would be right without it. It is one line of JSON, written whole under
 * another name and then linked: the owner's host, boot id, PID namespace, process, that process's start, and
 * a counter that the owner bumps every few seconds from a thread of its own.
 *
 * Whose owner is gone is taken over. Where host, boot id and PID namespace are this process's own that shows
 * at once: there is no such process, or one of another start. Of any other owner all that can be seen is that
 * its counter stands still: whoever is refused notes in OUT/job.lock.seen what it saw and when, and takes the
 * lock over when it finds the same counter JOB_LOCK_STILL seconds later, by its own clock.
 *
 * So after a restart of the machine, and in a new container, the lock of a dead job costs that minute too: by
 * the host's name alone it cannot be told from a living one's on another machine of that name. */
#pragma once

#include "io/error.h"

#define JOB_LOCK_BUMP 5   /* seconds between two bumps */
#define JOB_LOCK_STILL 60 /* many bumps: a server that hangs for half a minute costs nobody the lock */

struct job_lock;

/* Takes the lock of OUT, which is made where missing. ERROR_CONFLICT, naming the owner and what to do, where
 * another job has it. */
struct job_lock *job_lock_take(const char *out, struct error *error);

/* Removes the lock, unless somebody has taken it over. */
void job_lock_release(struct job_lock *lock);
