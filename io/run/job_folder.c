#include "io/run/job_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/fault.h"
#include "io/file.h"
#include "io/folder.h"
#include "io/look.h"

#define JOB "job"
#define TAKEN "taken" /* in a job's folder: another job's folder, while it is being removed */
#define GONE "gone"   /* in OUT: a folder that was taken away but could not be removed */
#define DISCARDED "discarded"
#define EMPTY "empty"

/* A folder that is not empty, or is kept, is tried again for 5 s. A rank that was shut out may just have
 * begun a file. Over NFS, a file stays while a process on this machine has it open, and the ranks of a killed
 * mpirun keep files open for a second or so. */
#define REMOVE_TRIES 100
#define REMOVE_NAP (50 * 1000 * 1000) /* ns */

/* OUT/.<what>.HOST-PID-N.tmp, a name that no other process has. */
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

struct folder_removal {
  const char *folder;
  int number; /* errno of the entry that could not be removed, or 0 */
};

static int folder_remove_once(const char *folder);

/* False if the entry stays; this ends the visit. */
static bool entry_remove(void *context, const char *name, struct error *error) {
  struct folder_removal *removal = context;
  char *path = file_join(removal->folder, name);
  (void)error;
  errno = path ? fault_point(FAULT_REMOVE) : ENOMEM;
  if (errno || unlink(path) != 0) removal->number = errno == EISDIR ? folder_remove_once(path) : errno;
  if (removal->number == ENOENT) removal->number = 0;
  free(path);
  return removal->number == 0;
}

/* Returns 0, or the errno that kept the folder. */
static int folder_remove_once(const char *folder) {
  struct folder_removal removal = {.folder = folder};
  struct error unused;
  if (!folder_visit(folder, entry_remove, &removal, &unused) && !removal.number) return errno;
  if (removal.number) return removal.number;
  return rmdir(folder) == 0 || errno == ENOENT ? 0 : errno;
}

/* Removes a folder with its content. Returns 0, or the errno. */
static int folder_remove(const char *folder) {
  const struct timespec nap = {.tv_nsec = REMOVE_NAP};
  for (int tries = 1;; tries++) {
    const int number = folder_remove_once(folder);
    const bool kept = number == EBUSY || number == ENOTEMPTY || number == EEXIST;
    if (!kept || tries == REMOVE_TRIES) return number;
    nanosleep(&nap, NULL);
  }
}

static bool remove_failed(int number, const char *path, struct error *error) {
  errno = number;
  return error_set_errno(error,
                         "cannot remove %s, which an earlier job left (where a process of that job still has "
                         "files open in it, end the process, then start again)",
                         path);
}

static bool begun_beside(const char *out, struct error *error) {
  return error_set(error, ERROR_CONFLICT,
                   "another job has begun in %s at the same moment: leave %s to that one", out, out);
}

struct taking {
  const char *out, *folder; /* this job's */
};

/* Shuts a job out and removes its folder. If the folder cannot be removed, it is moved to `away`. */
static bool job_take_away(const struct taking *taking, const char *path, const char *away,
                          struct error *error) {
  char *taken = file_join(taking->folder, TAKEN);
  if (!taken) return error_set_memory(error, PATH_MAX, "a path");
  const int refused = rename(path, taken) == 0 ? 0 : errno;
  const int kept = refused ? 0 : folder_remove(taken);
  if (kept) rename(taken, away); /* out of this job's folder, which will be removed */
  free(taken);
  if (kept) return remove_failed(kept, away, error);
  if (!refused) return true;
  /* Also if another job has just put this job's folder into the very folder that was to be moved (EINVAL). */
  if (!job_folder_stands(taking->folder)) return begun_beside(taking->out, error);
  errno = refused;
  return refused == ENOENT || refused == ESTALE ||
         error_set_errno(error, "cannot take %s away, which another job left", path);
}

static bool gone_remove(const char *path, struct error *error) {
  if (unlink(path) == 0) return true;
  const int number = folder_remove(path);
  return number == 0 || remove_failed(number, path, error);
}

static bool entry_take_away(void *context, const char *name, struct error *error) {
  const struct taking *taking = context;
  struct look look;
  if (!job_folder_is_named(name) || strcmp(name, strrchr(taking->folder, '/') + 1) == 0) return true;
  char *path = file_join(taking->out, name), *away = folder_name(taking->out, GONE, error);
  bool ok = path && away;
  if (!path) error_set_memory(error, PATH_MAX, "a path");
  if (ok && name_is_of(name, GONE))
    ok = gone_remove(path, error);
  else if (ok)
    ok = look_at_link(path, &look, error) &&
         /* A file with a job folder's name is a lock that a job has put aside: see io/run/job_lock.c. */
         (look.kind != LOOK_FOLDER || job_take_away(taking, path, away, error));
  free(away);
  free(path);
  return ok;
}

/* Makes this job's folder. */
static char *folder_make(const char *out, struct error *error) {
  for (;;) {
    char *folder = folder_name(out, JOB, error);
    if (!folder || mkdir(folder, 0777) == 0) return folder;
    const bool made = errno == EEXIST; /* another thread took the same nanosecond */
    if (!made) error_set_errno(error, "cannot make a folder in %s", out);
    free(folder);
    if (!made) return NULL;
  }
}

char *job_folder_take(const char *out, struct error *error) {
  struct taking taking = {.out = out};
  char *folder = folder_make(out, error);
  if (!folder) return NULL;
  taking.folder = folder;
  if (folder_visit(out, entry_take_away, &taking, error) &&
      (job_folder_stands(folder) || begun_beside(out, error)))
    return folder;
  job_folder_leave(folder);
  return NULL;
}

void job_folder_leave(char *folder) {
  if (folder) folder_remove(folder);
  free(folder);
}

bool job_folder_stands(const char *folder) {
  struct look look;
  struct error unused;
  return look_at(folder, &look, &unused) ? look.kind != LOOK_NOTHING : errno != ESTALE;
}

bool job_folder_discard(const char *folder, const char *out, const char *path, struct error *error) {
  char *whole = file_join(out, path), *discarded = file_join(folder, DISCARDED);
  bool ok = whole && discarded;
  if (!ok) error_set_memory(error, PATH_MAX, "a path");
  /* Each file replaces the one before, and so removes it. */
  ok = ok && ((errno = fault_point(FAULT_DISCARD)) == 0 || error_set_errno(error, "cannot remove %s", whole));
  ok = ok && (rename(whole, discarded) == 0 || (errno == ENOENT && job_folder_stands(folder)) ||
              error_set_errno(error, "cannot remove %s", whole));
  free(discarded);
  free(whole);
  return ok;
}

static bool entry_found(void *context, const char *name, struct error *error) {
  (void)name;
  (void)error;
  *(bool *)context = true;
  return false;
}

static bool folder_look_inside(const char *path, bool *empty, struct error *error) {
  bool found = false;
  const bool ok = folder_visit(path, entry_found, &found, error) || found;
  *empty = ok && !found;
  return ok;
}

/* Not rmdir(2): nothing would stop an earlier job from using it. */
bool job_folder_discard_empty(const char *folder, const char *out, const char *path, struct error *error) {
  char *whole = file_join(out, path), *empty = file_join(folder, EMPTY);
  bool is_empty, ok = whole && empty;
  if (!ok) error_set_memory(error, PATH_MAX, "a path");
  ok = ok && folder_look_inside(whole, &is_empty, error);
  if (ok && is_empty) {
    ok = rename(whole, empty) == 0 || (errno == ENOENT && job_folder_stands(folder)) ||
         error_set_errno(error, "cannot remove %s", whole);
    if (ok && rmdir(empty) != 0) rename(empty, whole); /* a file has been put into it since */
  }
  free(empty);
  free(whole);
  return ok;
}
