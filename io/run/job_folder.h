/* OUT/.job.HOST-PID-N.tmp: the folder through which a job, with all its ranks, changes OUT.
 *
 * Files are written in it and renamed to their places, and what is to go is renamed into it. Whoever begins a
 * job on OUT first makes its own folder and then takes every other job's away: it renames it into its own,
 * and removes it. From then on a rank of an earlier job, one that was killed but for this rank, or hung, can
 * change nothing in OUT: rename(2) finds no folder to come from or to go to, and fails as a whole. What it
 * had changed before, the new job sees when it reads OUT.
 *
 * Of jobs that begin at the same moment one goes on. Each has made its folder before it looks for others, so
 * of two that stand when both have looked, the later one would have seen the other's and put it into its own.
 * And since folders are only put into one another, one of them is always left outside.
 *
 * It is the removal that counts. A change that was under way when the folder was renamed may still go
 * through, until there is nothing left to come from or to go to; and over NFS a rank on another machine may
 * for a while still find the folder that was moved. So a folder that cannot be removed is an error. Nobody is
 * refused for nothing: on a local file system nothing keeps it, open files neither; NFS keeps a file that a
 * process of this machine has open, and that one has to end. (Not tried over NFS.)
 *
 * So no lock is needed for OUT to be right, and whatever a dead job leaves unfinished lies in its folder. OUT
 * has to be one file system. What an earlier job may still do is make an empty folder of the layout. */
#pragma once

#include "io/error.h"

/* Makes a folder for this job and takes away all other jobs' in OUT. Returns its path, to be freed by
 * job_folder_leave; NULL on error: ERROR_CONFLICT where another job has begun at the same moment. Waits some
 * seconds for what an earlier job's processes, which may be about to end, still hold open. */
char *job_folder_take(const char *out, struct error *error);

/* Removes this job's folder with all that is in it. NULL does nothing. */
void job_folder_leave(char *folder);

/* True where an entry of OUT bears the name of such a folder, whosever, or of what is left of one. */
bool job_folder_is_named(const char *name);

/* True until another job takes the folder away. */
bool job_folder_stands(const char *folder);

/* Takes the file OUT/path out of OUT; one that is not there is no error. */
bool job_folder_discard(const char *folder, const char *out, const char *path, struct error *error);

/* Takes the folder OUT/path out of OUT where it is empty; one that is not, or not there, is no error. */
bool job_folder_discard_empty(const char *folder, const char *out, const char *path, struct error *error);
