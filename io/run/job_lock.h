/* OUT/job.lock: if two jobs are started on one OUT by mistake, the lock stops them from doing the same work
 * twice.
 *
 * The lock only saves work of `nina embed`. If two jobs run all the same, the later one shuts the earlier one
 * out (io/run/job_folder.h), so OUT would be right without a lock. An evaluation (host/job/eval.h) has no job
 * folder: there the lock alone keeps the results of two apart. The lock is one line of JSON, written whole
 * under another name and then linked: the owner's host, boot id, PID namespace, process, the process's start,
 * and a counter. A thread of the owner bumps the counter every few seconds.
 *
 * If the owner is dead, the lock is taken over. If host, boot id and PID namespace are this process's own, a
 * dead owner shows at once: there is no such process, or it has another start. For any other owner, and where
 * the system hides the process that has the owner's number now (another user's, with hidepid), only a counter
 * that stands still shows its death. A refused job therefore notes the counter and the time in
 * OUT/job.lock.seen. A later try that finds the same counter JOB_LOCK_STILL seconds later, by the same clock,
 * takes the lock over. A clock is a kernel's since its start, so all containers of a machine share it; tries
 * on machines in turn note one time each.
 *
 * So after a restart of the machine, and in a new container, a dead job's lock also costs this minute:
 * another machine with the same host name may have a living job. */
#pragma once

#include "io/error.h"

#define JOB_LOCK_BUMP 5   /* seconds between two bumps */
#define JOB_LOCK_STILL 60 /* many bumps: a file server may hang for half a minute */

struct job_lock;

/* Takes the lock of OUT; makes OUT if missing. If another job has the lock: ERROR_CONFLICT, with the owner
 * and what to do. ERROR_CONFLICT too if the lock is a link. */
struct job_lock *job_lock_take(const char *out, struct error *error);

/* Looks whether another job is writing to OUT, without a trace. ERROR_CONFLICT, with the owner, if one is, or
 * if only its own machine could tell. No lock, or no OUT, is fine. */
bool job_lock_look(const char *out, struct error *error);

/* Notes the first sight of OUT's lock, as a refused job does, if its owner may have died on another machine.
 * Takes nothing. No lock, or no OUT, is fine. */
void job_lock_note(const char *out);

/* Removes the lock, unless another job has taken it over. */
void job_lock_release(struct job_lock *lock);
