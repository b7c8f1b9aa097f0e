/* OUT/.job.HOST-PID-N.tmp: the folder through which a job, with all its ranks, changes OUT.
 *
 * Files are written in it and renamed to their places, and what is to go is renamed into it. Whoever begins a
 * job on OUT first takes away every other job's folder. From then on a rank of an earlier job, one that was
 * killed but for this rank, or hung, can change nothing in OUT: rename(2) finds no folder to come from or to
 * go to, and fails as a whole. What it had changed before, the new job sees when it reads OUT.
 *
 * So no lock is needed for OUT to be right, and whatever a dead job leaves unfinished lies in its folder. OUT
 * has to be one file system. What an earlier job may still do is make or remove an empty folder of the
 * layout: a write of the new job may then fail, and its next start goes on. (Not tried over NFS.) */
#pragma once

#include "io/error.h"

/* Takes away all other jobs' folders in OUT and makes one for this job. Returns its path, to be freed by
 * job_folder_leave; NULL on error. */
char *job_folder_take(const char *out, struct error *error);

/* Removes this job's folder with all that is in it. NULL does nothing. */
void job_folder_leave(char *folder);

/* True where an entry of OUT bears the name of such a folder, whosever. */
bool job_folder_is_named(const char *name);

/* True until another job takes the folder away. */
bool job_folder_stands(const char *folder);

/* Takes OUT/path out of OUT; one that is not there is no error. */
bool job_folder_discard(const char *folder, const char *out, const char *path, struct error *error);
