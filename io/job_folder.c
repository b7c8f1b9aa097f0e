#include "io/job_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/run_layout.h"

#define JOB "job"
#define GONE "gone" /* one that was taken away and could not be removed */
#define DISCARDED "discarded"
#define REMOVE_TRIES 100 /* each fails only where a rank that was shut out has begun another file */

/* OUT/.<what>.HOST-PID-N.tmp, which nobody else has. */
static char *folder_name(const char *out, const char *what, struct error *error) {
  char *path = file_join(out, what), *temporary = path ? file_temporary(path) : NULL;
  if (!temporary) error_set_memory(error, PATH_MAX, "a path");
  free(path);
  return temporary;
}

static bool name_is_of(const char *name, const char *what) {
  const size_t length = strlen(what);
  return name[0] == '.' && strncmp(name + 1, what, length) == 0 && name[1 + length] == '.' &&
         file_is_temporary(name);
}

bool job_folder_is_named(const char *name) {
  return name_is_of(name, JOB) || name_is_of(name, GONE);
}

static bool entry_remove(void *context, const char *name, struct error *error) {
  char *path = file_join(context, name);
  (void)error;
  if (path) unlink(path);
  free(path);
  return true;
}

/* What cannot be removed (NFS keeps a file that is open on this machine) stays for the next job. */
static void folder_remove(const char *folder) {
  struct error ignored;
  for (int tries = 0; tries < REMOVE_TRIES; tries++) {
    folder_visit(folder, entry_remove, (void *)folder, &ignored);
    if (rmdir(folder) == 0 || (errno != ENOTEMPTY && errno != EEXIST)) return;
  }
}

/* Takes a job's folder away, if the entry is one. (What else bears such a name is a lock over which somebody
 * died: see job_lock.c.) The rename shuts the job's ranks out, all at once. Over NFS a rank on another
 * machine may for a while still find the folder that was moved; there it is the removal that counts. */
static bool entry_take_away(void *context, const char *name, struct error *error) {
  const char *out = context;
  if (!job_folder_is_named(name)) return true;
  char *path = file_join(out, name), *away = folder_name(out, GONE, error);
  bool ok = path && away;
  if (!path) error_set_memory(error, PATH_MAX, "a path");
  if (ok && name_is_of(name, GONE)) {
    folder_remove(path);
  } else if (ok) {
    ok = rename(path, away) == 0 || errno == ENOENT || error_set_errno(error, "cannot rename %s", path);
    if (ok && unlink(away) != 0) folder_remove(away);
  }
  free(away);
  free(path);
  return ok;
}

char *job_folder_take(const char *out, struct error *error) {
  if (!folder_visit(out, entry_take_away, (void *)out, error)) return NULL;
  for (;;) {
    char *folder = folder_name(out, JOB, error);
    if (!folder || mkdir(folder, 0777) == 0) return folder;
    const bool taken = errno == EEXIST; /* by another thread in the same nanosecond */
    if (!taken) error_set_errno(error, "cannot make a folder in %s", out);
    free(folder);
    if (!taken) return NULL;
  }
}

void job_folder_leave(char *folder) {
  if (folder) folder_remove(folder);
  free(folder);
}

bool job_folder_stands(const char *folder) {
  return access(folder, F_OK) == 0 || (errno != ENOENT && errno != ESTALE);
}

bool job_folder_discard(const char *folder, const char *out, const char *path, struct error *error) {
  char *whole = file_join(out, path), *discarded = file_join(folder, DISCARDED);
  bool ok = whole && discarded;
  if (!ok) error_set_memory(error, PATH_MAX, "a path");
  /* Each takes the place of the one before it, and so removes it. */
  ok = ok && (rename(whole, discarded) == 0 || (errno == ENOENT && job_folder_stands(folder)) ||
              error_set_errno(error, "cannot remove %s", whole));
  free(discarded);
  free(whole);
  return ok;
}
