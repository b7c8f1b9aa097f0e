#include "host/job/hosts_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/run/trial_file.h"

/* One rank in one trial. */
struct witness {
  int folder;
  bool first;    /* rank 0, which acts; the others look */
  bool won;      /* this rank was given the name */
  char own[16];  /* the rank's number */
  char late[32]; /* a file of the rank's own, in a folder that rank 0 moves */
  char kept[32]; /* where the rank tries to rename it to */
};

/* A step of a trial: all ranks do it at the same time, and wait for each other before the next one. Returns
 * NULL if the promise is kept so far, else why not. */
typedef const char *step_fn(struct witness *witness);

static const char *fail(void) {
  return strerror(errno);
}

static const char *put_old(struct witness *witness) {
  return !witness->first || trial_file_make(witness->folder, "file", "old") ? NULL : fail();
}

static const char *read_old(struct witness *witness) {
  if (witness->first || trial_file_holds(witness->folder, "file", "old")) return NULL;
  return "a new file is not seen, or not its bytes";
}

static const char *replace_old(struct witness *witness) {
  if (!witness->first) return NULL;
  return trial_file_make(witness->folder, "other", "new") &&
                 trial_file_rename(witness->folder, "other", "file")
             ? NULL
             : fail();
}

static const char *read_new(struct witness *witness) {
  if (witness->first || trial_file_holds(witness->folder, "file", "new")) return NULL;
  return "the old file is still seen";
}

static const char *remove_file(struct witness *witness) {
  return !witness->first || unlinkat(witness->folder, "file", 0) == 0 ? NULL : fail();
}

static const char *take(struct witness *witness) {
  witness->won = trial_file_make(witness->folder, "file", witness->own);
  return witness->won || errno == EEXIST ? NULL : fail();
}

static const char *take_after_another(struct witness *witness) {
  return witness->first ? NULL : take(witness);
}

/* If two ranks were given the name, one of them finds the other's number. */
static const char *look_who_has_it(struct witness *witness) {
  const bool own = trial_file_holds(witness->folder, "file", witness->own);
  if (witness->won) return own ? NULL : "two were given it";
  return faccessat(witness->folder, "file", F_OK, 0) == 0 ? NULL : "nobody was given it";
}

static const char *make_folders(struct witness *witness) {
  if (!witness->first) return NULL;
  return mkdirat(witness->folder, "one", 0777) == 0 && mkdirat(witness->folder, "two", 0777) == 0 ? NULL
                                                                                                  : fail();
}

static const char *put_late(struct witness *witness) {
  return witness->first || trial_file_make(witness->folder, witness->late, "late") ? NULL : fail();
}

static const char *move_folder(struct witness *witness) {
  return !witness->first || trial_file_rename(witness->folder, "one", "two/one") ? NULL : fail();
}

static const char *rename_late(struct witness *witness) {
  if (witness->first) return NULL;
  if (renameat(witness->folder, witness->late, witness->folder, witness->kept) == 0)
    return "a file was still found under its old name";
  return errno == ENOENT ? NULL : fail();
}

#define STEPS_MAX 5

// clang-format off
static const struct {
  const char *promise;
  const char *without; /* NULL: needed */
  step_fn *step[STEPS_MAX];
} trials[] = {
    {"a name that one has taken is not given to another (exclusive create)", NULL,
     {take, look_who_has_it}},
    {"nothing is found any more through a folder's old name, once another has moved it", NULL,
     {make_folders, put_late, move_folder, rename_late}},
    {"what one puts in a file's place, another reads at once",
     "wait a minute before a job goes on, on another host, with what one has left",
     {put_old, read_old, replace_old, read_new}},
    {"a name that one has removed can be taken by another at once",
     "a job may be refused for a minute after another host's has ended",
     {put_old, read_old, remove_file, take_after_another, look_who_has_it}},
};
// clang-format on

/* Every rank removes its own files, then rank 0 the rest. */
static void clear(struct ranks *ranks, const struct witness *witness) {
  char moved[48];
  struct error none = {0};
  snprintf(moved, sizeof moved, "two/%s", witness->late);
  unlinkat(witness->folder, witness->late, 0);
  unlinkat(witness->folder, moved, 0);
  unlinkat(witness->folder, witness->kept, 0);
  ranks_agree(ranks, true, &none);
  if (!witness->first) return;
  unlinkat(witness->folder, "file", 0);
  unlinkat(witness->folder, "other", 0);
  unlinkat(witness->folder, "two/one", AT_REMOVEDIR);
  unlinkat(witness->folder, "one", AT_REMOVEDIR);
  unlinkat(witness->folder, "two", AT_REMOVEDIR);
}

/* All ranks do each step, and end after the first one that failed on any of them. */
static bool trial_run(struct ranks *ranks, size_t number, struct witness *witness, struct error *error) {
  bool kept = true;
  witness->won = false;
  for (int i = 0; kept && i < STEPS_MAX && trials[number].step[i]; i++) {
    const char *reason = trials[number].step[i](witness);
    if (reason) error_set(error, ERROR_IO, "%s", reason);
    kept = ranks_agree(ranks, !reason, error);
  }
  clear(ranks, witness);
  return kept;
}

static bool trials_run(struct ranks *ranks, struct witness *witness, folder_trial_fn *tell, void *context) {
  bool may = true;
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
    struct error error = {0};
    struct folder_trial trial = {.promise = trials[i].promise, .without = trials[i].without};
    trial.needed = !trial.without;
    trial.kept = trial_run(ranks, i, witness, &error);
    if (!trial.kept) snprintf(trial.reason, sizeof trial.reason, "%s", error.message);
    if (trial.needed && !trial.kept) may = false;
    if (witness->first) tell(context, &trial);
  }
  return may;
}

/* Rank 0 makes the new folder; all ranks get its path, which they free. */
static bool folder_share(struct ranks *ranks, const char *path, char **own, struct error *error) {
  bool ok = true;
  *own = NULL;
  if (ranks_rank(ranks) == 0) {
    char *base = file_join(path, "check");
    *own = base ? file_temporary(base) : NULL;
    free(base);
    ok = *own ? mkdir(*own, 0777) == 0 || error_set_errno(error, "cannot make a folder in %s", path)
              : error_set_memory(error, 1, "a path");
  }
  void *bytes = *own;
  size_t size = *own ? strlen(*own) + 1 : 0;
  if (!ranks_agree(ranks, ok, error) || !ranks_share(ranks, &bytes, &size, error)) return false;
  *own = bytes;
  return true;
}

bool hosts_check(struct ranks *ranks, const char *path, folder_trial_fn *tell, void *context, bool *may,
                 struct error *error) {
  char *own;
  struct witness witness = {.folder = -1, .first = ranks_rank(ranks) == 0};
  bool ok = folder_share(ranks, path, &own, error);
  if (!ok) goto out;
  snprintf(witness.own, sizeof witness.own, "%d", ranks_rank(ranks));
  snprintf(witness.late, sizeof witness.late, "one/late%d", ranks_rank(ranks));
  snprintf(witness.kept, sizeof witness.kept, "late%d", ranks_rank(ranks));
  witness.folder = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (witness.folder < 0) error_set_errno(error, "cannot open %s, which rank 0 has made", own);
  ok = ranks_agree(ranks, witness.folder >= 0, error);
  if (ok) *may = trials_run(ranks, &witness, tell, context);
  if (witness.folder >= 0) close(witness.folder);
  if (witness.first) rmdir(own);
out:
  free(own);
  return ok;
}
