#include "io/run/folder_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fault.h"
#include "io/file.h"
#include "io/run/trial_file.h"

/* Each trial gets the descriptor of an empty folder and leaves only the names below. Returns NULL if the
 * promise is kept, else why not; the text of errno if that is not 0. */
typedef const char *trial_fn(int folder);

static const char *const file_names[] = {"one/file", "two/file", "three/two/file", "file", "other"};
static const char *const folder_names[] = {"three/two", "one", "two", "three"};

static const char *fail(void) {
  return strerror(errno);
}

static bool folder_make(int folder, const char *name) {
  return mkdirat(folder, name, 0777) == 0;
}

static bool sync_name(int folder, const char *name, int flags) {
  int number = fault_point(FAULT_SYNC);
  const int file = openat(folder, name, flags | O_CLOEXEC);
  if (file < 0) return false;
  if (!number && fsync(file) != 0) number = errno;
  close(file);
  errno = number;
  return number == 0;
}

static const char *try_exclusive(int folder) {
  if (!trial_file_make(folder, "file", "one")) return fail();
  if (trial_file_make(folder, "file", "two")) return "a second file was made under the same name";
  if (errno != EEXIST) return fail();
  return trial_file_holds(folder, "file", "one") ? NULL : "the first file has lost its bytes";
}

static const char *try_sync_file(int folder) {
  return trial_file_make(folder, "file", "one") && sync_name(folder, "file", O_WRONLY) ? NULL : fail();
}

static const char *try_sync_folder(int folder) {
  return folder_make(folder, "one") && sync_name(folder, "one", O_RDONLY | O_DIRECTORY) ? NULL : fail();
}

static const char *try_rename(int folder) {
  if (!folder_make(folder, "one") || !folder_make(folder, "two") ||
      !trial_file_make(folder, "one/file", "new") || !trial_file_make(folder, "two/file", "old") ||
      !trial_file_rename(folder, "one/file", "two/file"))
    return fail();
  if (faccessat(folder, "one/file", F_OK, 0) == 0) return "the file kept its old name too";
  return trial_file_holds(folder, "two/file", "new") ? NULL : "the old file is still there";
}

/* What shuts a job out that another has followed (io/run/job_folder.h). */
static const char *try_fence(int folder) {
  if (!folder_make(folder, "two") || !folder_make(folder, "three") ||
      !trial_file_make(folder, "two/file", "late") || !trial_file_rename(folder, "two", "three/two"))
    return fail();
  if (renameat(folder, "two/file", folder, "file") == 0) return "the file was still found under its old name";
  if (errno != ENOENT) return fail();
  return trial_file_holds(folder, "three/two/file", "late") ? NULL : "the file did not come along";
}

/* NFS leaves a file's rest in its folder while a process has the file open. */
static const char *try_remove_open(int folder) {
  const char *reason = NULL;
  if (!folder_make(folder, "one") || !trial_file_make(folder, "one/file", "one")) return fail();
  const int file = openat(folder, "one/file", O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail();
  if (unlinkat(folder, "one/file", 0) != 0 || unlinkat(folder, "one", AT_REMOVEDIR) != 0) reason = fail();
  close(file);
  return reason;
}

static const char *try_link(int folder) {
  struct stat status;
  if (!trial_file_make(folder, "file", "one") || linkat(folder, "file", folder, "other", 0) != 0)
    return fail();
  if (linkat(folder, "file", folder, "other", 0) == 0) return "a name that is taken was given again";
  if (errno != EEXIST || fstatat(folder, "file", &status, 0) != 0) return fail();
  return status.st_nlink == 2 ? NULL : "the file's links are not counted";
}

// clang-format off
static const struct {
  const char *promise;
  trial_fn *run;
  const char *without; /* NULL: needed */
} trials[] = {
    {"a name that is taken is not given again (exclusive create)", try_exclusive, NULL},
    {"a file's bytes can be synced (fsync)", try_sync_file, NULL},
    {"a folder can be synced", try_sync_folder, NULL},
    {"a renamed file takes the place of the file that is there", try_rename, NULL},
    {"nothing is found any more through a folder's old name", try_fence, NULL},
    {"a folder can be removed while its removed file is open", try_remove_open,
     "the next job waits until the processes of the one before have ended"},
    {"a file can have a second name (link)", try_link,
     "a job that is killed in its first moment may leave a lock that takes a minute to be taken over"},
};
// clang-format on

static void clear(int folder) {
  for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) unlinkat(folder, file_names[i], 0);
  for (size_t i = 0; i < sizeof folder_names / sizeof *folder_names; i++)
    unlinkat(folder, folder_names[i], AT_REMOVEDIR);
}

/* Runs all trials in a new folder; true if all that is needed was kept. */
static bool trials_run(int folder, folder_trial_fn *tell, void *context) {
  bool may = true;
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
    struct folder_trial trial = {.promise = trials[i].promise, .without = trials[i].without};
    const char *reason = trials[i].run(folder);
    trial.needed = !trial.without;
    trial.kept = !reason;
    if (reason) snprintf(trial.reason, sizeof trial.reason, "%s", reason);
    if (trial.needed && !trial.kept) may = false;
    tell(context, &trial);
    clear(folder);
  }
  return may;
}

bool folder_check(const char *path, folder_trial_fn *tell, void *context, bool *may, struct error *error) {
  bool ok = false;
  if (!file_check_folder(path, error)) return false;
  char *base = file_join(path, "check"), *own = base ? file_temporary(base) : NULL;
  if (!own) {
    error_set_memory(error, PATH_MAX, "a path");
    goto out;
  }
  if (mkdir(own, 0777) != 0) {
    error_set_errno(error, "cannot make a folder in %s", path);
    goto out;
  }
  const int folder = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ok = folder >= 0 || error_set_errno(error, "cannot open %s", own);
  if (folder >= 0) {
    *may = trials_run(folder, tell, context);
    close(folder);
  }
  if (rmdir(own) != 0 && ok) ok = error_set_errno(error, "cannot remove %s", own);
out:
  free(own);
  free(base);
  return ok;
}
