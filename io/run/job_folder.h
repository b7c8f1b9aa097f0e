/* OUT/.job.HOST-PID-N.tmp: the folder through which a job, with all its ranks, changes OUT.
 *
 * A job writes each file in its folder and renames it to its place; to remove a file, the job renames it into
 * its folder. A new job on OUT first makes its own folder. Then it takes away every other job's folder: it
 * renames that folder into its own, and removes it. From then on, a rank of an earlier job (its job was
 * killed but the rank was not, or it hung) can change nothing in OUT: rename(2) no longer finds the folder,
 * so it fails as a whole. Its earlier changes are seen by the new job when it reads OUT.
 *
 * If two jobs begin at the same moment, one goes on. Each job makes its folder before it looks for others. So
 * if both have looked, the later one has seen the other's folder and has put it into its own. Folders are
 * only ever put into one another, so one folder always stays outside.
 *
 * Only the removal makes this safe. After the rename, a change already under way may still succeed until the
 * folder is gone; and over NFS, a rank on another machine may still find the moved folder for a while. So a
 * folder that cannot be removed is an error. No job is refused without a reason: on a local file system
 * nothing blocks the removal, not even open files. NFS keeps a file that a process on this machine has open;
 * this process must end first. (Not tried over NFS.)
 *
 * So OUT is right without a lock, and a dead job's unfinished files lie in its folder. OUT must be on one
 * file system. An earlier job can still make an empty folder of the layout. */
#pragma once

#include "io/error.h"

/* Makes a folder for this job and takes away every other job's folder in OUT. Returns its path;
 * job_folder_leave frees it. NULL on error; ERROR_CONFLICT if another job has begun at the same moment. An
 * earlier job's processes may be about to end: waits some seconds for files that they hold open. */
char *job_folder_take(const char *out, struct error *error);

/* Removes this job's folder with its content. NULL does nothing. */
void job_folder_leave(char *folder);

/* True if an entry of OUT is named like any job's folder, or like the rest of one. */
bool job_folder_is_named(const char *name);

/* True until another job takes the folder away. */
bool job_folder_stands(const char *folder);

/* Removes the file OUT/path from OUT; a missing file is no error. */
bool job_folder_discard(const char *folder, const char *out, const char *path, struct error *error);

/* Removes the folder OUT/path from OUT if it is empty; if it is missing or not empty, that is no error. */
bool job_folder_discard_empty(const char *folder, const char *out, const char *path, struct error *error);
