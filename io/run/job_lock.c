#include "io/run/job_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/file.h"
#include "io/folder.h"
#include "io/hash_text.h"
#include "io/json_parse.h"
#include "io/look.h"
#include "io/proc.h"
#include "io/run/layout.h"
#include "io/run/lock_owner.h"
#include "io/text.h"

#define SEEN_BYTES_MAX (64 * 1024) /* some 800 clocks; a longer note begins anew */
#define TAKE_TRIES 8               /* a try fails only if another job did something at the same moment */

struct job_lock {
  char *path;
  int descriptor;
  struct lock_owner owner;
  pthread_t thread;
  bool bumping;
  pthread_mutex_t mutex; /* protects `ending` */
  pthread_cond_t ended;
  bool ending;
};

/* Seconds since this machine's start, sleep included: a clock that cannot be set. */
static int64_t seconds_since_boot(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

/* The key of this clock in job.lock.seen: the kernel's start, whatever a container calls its host, and what
 * shifts the clock within this kernel (a time namespace). */
static char *clock_key(const struct machine *machine) {
  char shift[40];
  struct error unread;
  if (!*machine->boot) return text_format("%s", machine->host);
  if (!proc_read_link("/proc/self/ns/time", shift, sizeof shift, &unread)) *shift = '\0';
  return text_format("%s %s", machine->boot, shift);
}

/* The note in job.lock.seen, if it is of this text of the lock; else an empty one. NULL if memory is short.
 * The note holds the text's hash: JSON cannot hold a text that is not UTF-8. */
static json_t *seen_read(const char *path, const char *lock) {
  char *text = NULL, hash[33];
  size_t size;
  struct error ignored;
  json_error_t problem;
  json_t *note = NULL, *since;
  const char *then;
  hash_text(XXH3_128bits(lock, strlen(lock)), hash);
  if (file_read(path, SEEN_BYTES_MAX, &text, &size, &ignored)) note = json_parse(text, size, 0, &problem);
  free(text);
  if (note && json_unpack(note, "{s:s, s:o}", "lock", &then, "since", &since) == 0 &&
      strcmp(then, hash) == 0 && json_is_object(since))
    return note;
  json_decref(note);
  return json_pack("{s:s, s:{}}", "lock", hash, "since");
}

/* As a whole: another try may read it at the same moment. */
static bool seen_write(const char *path, const json_t *note) {
  char *temporary = file_temporary(path);
  const bool ok =
      temporary && json_dump_file(note, temporary, JSON_COMPACT) == 0 && rename(temporary, path) == 0;
  if (temporary && !ok) unlink(temporary);
  free(temporary);
  return ok;
}

/* Seconds for which the lock's text has stood unchanged by this clock, which notes its first sight of it in
 * job.lock.seen, beside other clocks. If it cannot write there, the result is 0, *noted false. */
static int64_t lock_seen_for(const char *out, const char *lock, const struct lock_owner *self, bool *noted) {
  const int64_t now = seconds_since_boot();
  int64_t seen_for = 0;
  char *path = file_join(out, LOCK_SEEN_NAME), *key = clock_key(&self->machine);
  json_t *note = path && key ? seen_read(path, lock) : NULL;
  json_t *all = json_object_get(note, "since"), *since = all ? json_object_get(all, key) : NULL;
  *noted = json_is_integer(since) && json_integer_value(since) <= now;
  if (*noted)
    seen_for = now - json_integer_value(since);
  else
    *noted = all && json_object_set_new(all, key, json_integer(now)) == 0 && seen_write(path, note);
  json_decref(note);
  free(key);
  free(path);
  return seen_for;
}

/* True if the lock may be taken over; else false with ERROR_CONFLICT. */
static bool lock_is_dead(const char *out, const char *text, const struct lock_owner *self,
                         struct error *error) {
  struct lock_owner owner;
  bool parsed;
  if (!lock_owner_parse(text, &owner, &parsed, error)) return false;
  if (parsed && lock_owner_is_here(&owner, self)) {
    enum owner_state state;
    if (!lock_owner_await(&owner, &state, error)) return false;
    if (state == OWNER_GONE) return true;
    if (state == OWNER_LIVES)
      return error_set(error, ERROR_CONFLICT,
                       "another job, process %" PRId64
                       " on this host, is writing to %s: wait until it ends, or give another --out",
                       owner.process, out);
  }
  bool noted;
  char way[120] = "remove that file (its age cannot be noted: " LOCK_SEEN_NAME " cannot be written there)";
  const int64_t left = JOB_LOCK_STILL - lock_seen_for(out, text, self, &noted);
  if (left <= 0) return true;
  if (noted) snprintf(way, sizeof way, "start again in %" PRId64 " s, and its lock will be taken over", left);
  return error_set(error, ERROR_CONFLICT,
                   "another job, process %" PRId64 " on host %s, has %s/" LOCK_NAME
                   ": if it is dead, %s; if it lives, wait until it ends, or give another --out",
                   owner.process, parsed ? owner.machine.host : "unknown", out, way);
}

/* Removes the lock if it still has this text. The lock is first put aside, then read: if two jobs find the
 * same dead owner, the later job must not remove the new lock that the earlier job has made. False if this
 * user may not remove the lock (another user's, in a sticky folder), or memory is short. */
static bool lock_remove(const char *path, const char *text, struct error *error) {
  char *aside = file_temporary(path), *found = NULL;
  size_t size;
  struct error ignored;
  if (!aside) return error_set_memory(error, PATH_MAX, "a path");
  bool ok = rename(path, aside) == 0;
  if (!ok) {
    ok = errno == ENOENT || errno == ESTALE; /* another job has removed it */
    if (!ok) error_set_errno(error, "cannot remove %s, which a dead job left", path);
    goto out;
  }
  const bool same = file_read(aside, LOCK_BYTES_MAX, &found, &size, &ignored) && strcmp(found, text) == 0;
  /* If another job has made a third lock meanwhile, the third lock counts, and this one cannot be put
   * back. */
  const int put_back = same ? 0 : link(aside, path);
  (void)put_back;
  unlink(aside);
out:
  free(found);
  free(aside);
  return ok;
}

/* Writes the lock to a new file at `path`, which stays open. Returns 0, or the errno. */
static int lock_write(struct job_lock *lock, const char *path) {
  char text[LOCK_BYTES_MAX];
  const int length = lock_owner_print(text, &lock->owner, 0);
  lock->descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (lock->descriptor < 0) return errno;
  for (int at = 0; at < length;) {
    const ssize_t written = pwrite(lock->descriptor, text + at, (size_t)(length - at), at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int number = written < 0 ? errno : ENOSPC;
      unlink(path);
      return number;
    }
    at += (int)written;
  }
  return 0;
}

/* True if the link exists. If NFS loses the reply, link(2) seems to fail although it has made the link; the
 * file's link count shows it. */
static bool lock_is_linked(const struct job_lock *lock) {
  struct stat status;
  return fstat(lock->descriptor, &status) == 0 && status.st_nlink == 2;
}

/* Makes the lock: writes it under a temporary name, then links it to its own name, so a killed process never
 * leaves an empty lock. Returns 0 with lock->descriptor, else the errno; EEXIST if there is a lock
 * already. */
static int lock_make(struct job_lock *lock) {
  char *whole = file_temporary(lock->path);
  int number = whole ? lock_write(lock, whole) : ENOMEM;
  if (number == 0) {
    if (link(whole, lock->path) != 0) number = errno;
    if (number && lock_is_linked(lock)) number = 0;
    unlink(whole);
    /* A file system without links (exFAT, some of FUSE): write the lock in place. */
    if (number == EPERM || number == ENOTSUP || number == ENOSYS) {
      close(lock->descriptor);
      number = lock_write(lock, lock->path);
    }
  }
  free(whole);
  if (number != 0 && lock->descriptor >= 0) {
    close(lock->descriptor);
    lock->descriptor = -1;
  }
  return number;
}

/* True if it is certain that no lock is there. */
static bool lock_has_gone(const char *path, struct error *error) {
  struct look look;
  return look_at(path, &look, error) && look.kind == LOOK_NOTHING;
}

/* One try. True with lock->descriptor: taken; true without: try again; false on error. */
static bool lock_try(struct job_lock *lock, const char *out, struct error *error) {
  char *found;
  size_t size;
  const int number = lock_make(lock);
  if (number == 0 || number == ENOENT) return true; /* ENOENT: another job has removed the file */
  errno = number;
  if (number != EEXIST) return error_set_errno(error, "cannot make %s", lock->path);
  if (!file_read(lock->path, LOCK_BYTES_MAX, &found, &size, error)) return lock_has_gone(lock->path, error);
  const bool gone = lock_is_dead(out, found, &lock->owner, error) && lock_remove(lock->path, found, error);
  free(found);
  return gone;
}

static void *lock_bump(void *argument) {
  struct job_lock *lock = argument;
  char text[LOCK_BYTES_MAX];
  pthread_mutex_lock(&lock->mutex);
  for (int64_t counter = 1; !lock->ending; counter++) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += JOB_LOCK_BUMP;
    while (!lock->ending && pthread_cond_timedwait(&lock->ended, &lock->mutex, &until) != ETIMEDOUT) continue;
    if (lock->ending) break;
    pthread_mutex_unlock(&lock->mutex);
    /* A failed bump can cost only the lock. The sync takes the bump to a file server. */
    const int length = lock_owner_print(text, &lock->owner, counter);
    if (pwrite(lock->descriptor, text, (size_t)length, 0) == length) fdatasync(lock->descriptor);
    pthread_mutex_lock(&lock->mutex);
  }
  pthread_mutex_unlock(&lock->mutex);
  return NULL;
}

static bool bumping_start(struct job_lock *lock, struct error *error) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&lock->ended, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&lock->mutex, NULL);
  const int status = pthread_create(&lock->thread, NULL, lock_bump, lock);
  lock->bumping = status == 0;
  return lock->bumping || error_set(error, ERROR_MEMORY, "cannot start a thread: %s", strerror(status));
}

/* Whether the path leads to the file that this lock made. False if the system cannot tell. */
static bool lock_look(const struct job_lock *lock, const char *path, bool *is_lock) {
  struct look named;
  struct stat opened;
  struct error unused;
  if (!look_at(path, &named, &unused) || fstat(lock->descriptor, &opened) != 0) return false;
  *is_lock = named.kind == LOOK_FILE && named.inode == opened.st_ino && named.device == opened.st_dev;
  return true;
}

struct sweep {
  const struct job_lock *lock;
  const char *out;
};

static bool aside_remove(void *context, const char *name, struct error *error) {
  static const char aside[] = "." LOCK_NAME ".";
  const struct sweep *sweep = context;
  (void)error;
  if (strncmp(name, aside, sizeof aside - 1) != 0 || !file_is_temporary(name)) return true;
  char *path = file_join(sweep->out, name);
  bool is_lock;
  if (path && lock_look(sweep->lock, path, &is_lock) && !is_lock) unlink(path);
  free(path);
  return true;
}

/* Removes locks that a job put aside, or had not linked yet, before it died. If a job has put this live lock
 * aside by mistake, that job puts it back. While this lock is in place, no other lock can be put back. */
static void asides_remove(const struct job_lock *lock, const char *out) {
  struct error ignored;
  folder_visit(out, aside_remove, &(struct sweep){lock, out}, &ignored);
}

bool job_lock_look(const char *out, struct error *error) {
  struct lock_owner owner, self;
  char *text = NULL, *path = file_join(out, LOCK_NAME);
  size_t size;
  if (!path) return error_set_memory(error, PATH_MAX, "a path");
  struct look look;
  bool ok = false;
  if (!look_at(path, &look, error)) goto out;
  if (look.kind == LOOK_NOTHING || !file_read(path, LOCK_BYTES_MAX, &text, &size, error)) {
    ok = look.kind == LOOK_NOTHING || lock_has_gone(path, error); /* the job has ended meanwhile */
    goto out;
  }
  bool parsed;
  enum owner_state state = OWNER_HIDDEN;
  if (!lock_owner_self(&self, error) || !lock_owner_parse(text, &owner, &parsed, error)) goto out;
  if (parsed && lock_owner_is_here(&owner, &self) && !lock_owner_look(&owner, &state, error)) goto out;
  if (state == OWNER_GONE) {
    ok = true;
  } else if (state == OWNER_LIVES) {
    error_set(error, ERROR_CONFLICT,
              "another job, process %" PRId64 " on this host, is writing to %s: wait until it ends",
              owner.process, out);
  } else {
    error_set(error, ERROR_CONFLICT,
              "another job, process %" PRId64
              " on host %s, has %s: wait until it ends, or if it is dead, remove "
              "the file",
              owner.process, parsed ? owner.machine.host : "unknown", path);
  }
out:
  free(text);
  free(path);
  return ok;
}

/* Through a link the lock, or the note on it, would be read and written elsewhere. */
static bool lock_check_links(const char *out, struct error *error) {
  return layout_check_link(out, LOCK_NAME, error) && layout_check_link(out, LOCK_SEEN_NAME, error);
}

void job_lock_note(const char *out) {
  struct lock_owner owner, self;
  struct error ignored;
  char *text = NULL, *path = file_join(out, LOCK_NAME);
  size_t size;
  bool parsed, noted;
  if (path && lock_check_links(out, &ignored) && file_read(path, LOCK_BYTES_MAX, &text, &size, &ignored) &&
      lock_owner_self(&self, &ignored) && lock_owner_parse(text, &owner, &parsed, &ignored) &&
      !(parsed && lock_owner_is_here(&owner, &self)))
    lock_seen_for(out, text, &self, &noted);
  free(text);
  free(path);
}

struct job_lock *job_lock_take(const char *out, struct error *error) {
  if (!file_make_folder(out, error) || !lock_check_links(out, error)) return NULL;
  struct job_lock *lock = calloc(1, sizeof *lock);
  char *path = file_join(out, LOCK_NAME), *seen = file_join(out, LOCK_SEEN_NAME);
  if (!lock || !path || !seen) {
    error_set_memory(error, PATH_MAX, "a lock");
    goto fail;
  }
  lock->path = path;
  lock->descriptor = -1;
  if (!lock_owner_self(&lock->owner, error)) goto fail;
  for (int tries = 0; lock->descriptor < 0; tries++) {
    if (tries == TAKE_TRIES) {
      error_set(error, ERROR_CONFLICT, "other jobs are starting in %s at this moment: leave it to one", out);
      goto fail;
    }
    if (!lock_try(lock, out, error)) goto fail;
  }
  unlink(seen);
  free(seen);
  asides_remove(lock, out);
  if (bumping_start(lock, error)) return lock;
  job_lock_release(lock);
  return NULL;
fail:
  if (lock && lock->descriptor >= 0) close(lock->descriptor);
  free(seen);
  free(path);
  free(lock);
  return NULL;
}

void job_lock_release(struct job_lock *lock) {
  if (!lock) return;
  if (lock->bumping) {
    pthread_mutex_lock(&lock->mutex);
    lock->ending = true;
    pthread_cond_signal(&lock->ended);
    pthread_mutex_unlock(&lock->mutex);
    pthread_join(lock->thread, NULL);
  }
  pthread_cond_destroy(&lock->ended);
  pthread_mutex_destroy(&lock->mutex);
  bool is_lock;
  if (lock_look(lock, lock->path, &is_lock) && is_lock) unlink(lock->path);
  close(lock->descriptor);
  free(lock->path);
  free(lock);
}
