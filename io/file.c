#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/fault.h"
#include "io/hash_text.h"
#include "io/look.h"
#include "io/text.h"

#define TEMPORARY_NAME_MAX 64 /* bytes of the final name in a temporary one */
#define PIECE_BYTES (1 << 20) /* one read for a digest: few calls, and small against a cache */
#define WRITE_MAX (1 << 30)   /* Linux writes at most 2^31 - 4096 bytes in one call */

/* read(2), or pread(2) if `offset` is 0 or more; repeated if a signal interrupts. */
static ssize_t descriptor_read(int descriptor, void *bytes, size_t size, int64_t offset) {
  errno = fault_point(FAULT_READ);
  if (errno) return -1;
  ssize_t got;
  do got = offset < 0 ? read(descriptor, bytes, size) : pread(descriptor, bytes, size, (off_t)offset);
  while (got < 0 && errno == EINTR);
  return got;
}

bool file_open_regular(const char *path, int *descriptor, int64_t *size, struct error *error) {
  struct stat status;
  *descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe without a writer must not block */
  if (*descriptor < 0) return error_set_errno(error, "cannot open %s", path);
  if (fstat(*descriptor, &status) != 0) {
    error_set_errno(error, "cannot examine %s", path);
  } else if (!S_ISREG(status.st_mode)) {
    error_set(error, ERROR_INPUT, "%s is %s: expected a regular file", path,
              S_ISDIR(status.st_mode) ? "a folder" : "a pipe or a device");
  } else {
    *size = status.st_size;
    return true;
  }
  close(*descriptor);
  *descriptor = -1;
  return false;
}

static bool file_too_large(const char *path, size_t limit, struct error *error) {
  return error_set(error, ERROR_INPUT, "%s is larger than the %zu bytes that such a file may have", path,
                   limit);
}

bool file_read(const char *path, size_t limit, char **data, size_t *size, struct error *error) {
  bool ok = false;
  char *bytes = NULL;
  size_t used = 0, capacity = 4096;
  int descriptor;
  int64_t expected;
  if (!file_open_regular(path, &descriptor, &expected, error)) return false;
  if ((uint64_t)expected > limit) {
    file_too_large(path, limit, error);
    goto out;
  }
  if (expected > 0) capacity = (size_t)expected + 1;
  for (;;) {
    /* One byte more than the file's size: it shows if the file has grown, and leaves room for the NUL. */
    char *larger = realloc(bytes, capacity);
    if (!larger) {
      error_set_memory(error, capacity, path);
      goto out;
    }
    bytes = larger;
    const ssize_t got = descriptor_read(descriptor, bytes + used, capacity - used, -1);
    if (got < 0) {
      error_set_errno(error, "cannot read %s", path);
      goto out;
    }
    if (got == 0) break;
    used += (size_t)got;
    if (used > limit) {
      file_too_large(path, limit, error);
      goto out;
    }
    if (used == capacity) capacity *= 2;
  }
  bytes[used] = '\0';
  *data = bytes;
  *size = used;
  bytes = NULL;
  ok = true;
out:
  free(bytes);
  close(descriptor);
  return ok;
}

bool file_digest(const char *path, struct digest *digest, struct error *error) {
  bool ok = false;
  int64_t size = 0;
  int descriptor;
  int64_t expected;
  if (!file_open_regular(path, &descriptor, &expected, error)) return false;
  XXH3_state_t *state = XXH3_createState();
  char *piece = malloc(PIECE_BYTES);
  if (!state || !piece) {
    error_set_memory(error, PIECE_BYTES, "the digest of a file");
    goto out;
  }
  XXH3_128bits_reset(state);
  for (;;) {
    const ssize_t got = descriptor_read(descriptor, piece, PIECE_BYTES, -1);
    if (got < 0) {
      error_set_errno(error, "cannot read %s", path);
      goto out;
    }
    if (got == 0) break;
    XXH3_128bits_update(state, piece, (size_t)got);
    size += got;
  }
  digest->size = size;
  hash_text(XXH3_128bits_digest(state), digest->hash);
  ok = true;
out:
  free(piece);
  XXH3_freeState(state);
  close(descriptor);
  return ok;
}

bool file_read_at(int descriptor, const char *path, int64_t offset, void *bytes, size_t size,
                  struct error *error) {
  char *to = bytes;
  if (offset < 0) return error_set(error, ERROR_INPUT, "%s has no byte %lld", path, (long long)offset);
  while (size > 0) {
    const ssize_t got = descriptor_read(descriptor, to, size, offset);
    if (got < 0) return error_set_errno(error, "cannot read %s at byte %lld", path, (long long)offset);
    if (got == 0)
      return error_set(error, ERROR_INPUT, "%s ends at byte %lld, %zu bytes too early", path,
                       (long long)offset, size);
    to += got;
    size -= (size_t)got;
    offset += got;
  }
  return true;
}

/* If `readable_only`, a folder that may not be read is left out. */
static bool folder_open_sync(const char *path, bool readable_only, struct error *error) {
  const int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return (readable_only && errno == EACCES) || error_set_errno(error, "cannot open the folder %s", path);
  errno = fault_point(FAULT_SYNC);
  /* EINVAL: this file system keeps folders in order by itself and has no fsync for them. */
  const bool ok = (errno == 0 && fsync(descriptor) == 0) || errno == EINVAL;
  if (!ok) error_set_errno(error, "cannot sync the folder %s", path);
  close(descriptor);
  return ok;
}

/* Syncs `path`/`up`, in which a folder was found: a process may have made the folder, and have been killed
 * before its sync. Only another user makes folders in what may not be read. */
static bool folder_sync_above(const char *path, const char *up, struct error *error) {
  char *above = file_join(path, up);
  if (!above) return error_set_memory(error, strlen(path), "a path");
  const bool ok = folder_open_sync(above, true, error);
  free(above);
  return ok;
}

/* A name that is there and leads nowhere can only be a link. */
static bool folder_check_there(const char *path, struct error *error) {
  struct look look;
  char target[PATH_MAX];
  if (!look_at(path, &look, error)) return false;
  if (look.kind != LOOK_NOTHING)
    return true; /* if a file has this name, it shows when something is made inside */
  const ssize_t length = readlink(path, target, sizeof target - 1);
  target[length > 0 ? length : 0] = '\0';
  return length < 0 || error_set(error, ERROR_USAGE,
                                 "%s is a link to %s, which is not there: is its disk not mounted? Or make "
                                 "the folder, or give another name",
                                 path, target);
}

/* Makes `path`, whose parent exists. If `path` is new, syncs its parent, and what holds the parent. */
static bool folder_make_one(const char *path, struct error *error) {
  if (mkdir(path, 0777) != 0) {
    if (errno == EEXIST) return folder_check_there(path, error);
    return error_set_errno(error, "cannot make the folder %s", path);
  }
  return file_sync_parent(path, error) && folder_sync_above(path, "../..", error);
}

static bool path_check(const char *path, bool folder, struct error *error) {
  struct look look;
  if (!look_at(path, &look, error)) return false;
  if (look.kind == LOOK_NOTHING)
    return error_set(error, ERROR_USAGE, "there is no %s %s", folder ? "folder" : "file", path);
  return (look.kind == LOOK_FOLDER) == folder ||
         error_set(error, ERROR_USAGE,
                   folder ? "%s is a file; expected a folder" : "%s is a folder; expected a file", path);
}

bool file_check_folder(const char *path, struct error *error) {
  return path_check(path, true, error);
}

bool file_check_file(const char *path, struct error *error) {
  return path_check(path, false, error);
}

static struct file_stamp stamp_of(const struct look *look) {
  return look->kind == LOOK_FILE ? (struct file_stamp){look->size, look->changed}
                                 : (struct file_stamp){-1, 0};
}

bool file_stamp_read(const char *path, struct file_stamp *stamp, struct error *error) {
  struct look look;
  if (!look_at(path, &look, error)) return false;
  *stamp = stamp_of(&look);
  return true;
}

bool file_stamp_read_open(int descriptor, const char *path, struct file_stamp *stamp, struct error *error) {
  struct look look;
  if (!look_at_open(descriptor, path, &look, error)) return false;
  *stamp = stamp_of(&look);
  return true;
}

bool file_stamps_equal(const struct file_stamp *a, const struct file_stamp *b) {
  return a->size == b->size && a->changed == b->changed;
}

bool file_make_folder(const char *path, struct error *error) {
  struct look look;
  if (!look_at(path, &look, error)) return false;
  if (look.kind == LOOK_FOLDER) return folder_sync_above(path, "..", error);
  if (look.kind != LOOK_NOTHING)
    return error_set(error, ERROR_USAGE, "%s is not a folder: give another name, or move it away", path);
  char *copy = strndup(path, file_path_length(path));
  if (!copy) return error_set_memory(error, strlen(path), "a path");
  bool ok = true;
  for (char *slash = copy; ok && (slash = strchr(slash + 1, '/'));) {
    if (slash[-1] == '/') continue;
    *slash = '\0';
    ok = folder_make_one(copy, error);
    *slash = '/';
  }
  ok = ok && folder_make_one(copy, error);
  free(copy);
  return ok;
}

bool file_sync_folder(const char *path, struct error *error) {
  return folder_open_sync(path, false, error);
}

bool file_sync_parent(const char *path, struct error *error) {
  const char *slash = strrchr(path, '/');
  if (!slash) return file_sync_folder(".", error);
  char *folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
  if (!folder) return error_set_memory(error, strlen(path), "a path");
  const bool ok = file_sync_folder(folder, error);
  free(folder);
  return ok;
}

size_t file_path_length(const char *path) {
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  return length;
}

char *file_join(const char *folder, const char *name) {
  const int length = (int)file_path_length(folder);
  const bool root = length == 1 && folder[0] == '/';
  return text_format("%.*s/%s", root ? 0 : length, folder, name);
}

char *file_temporary(const char *path) {
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  struct utsname host;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return text_format("%.*s.%.*s.%s-%ld-%lld%09ld.tmp", (int)(name - path), path,
                     (int)text_cut(name, strlen(name), TEMPORARY_NAME_MAX), name,
                     uname(&host) == 0 ? host.nodename : "host", (long)getpid(), (long long)now.tv_sec,
                     now.tv_nsec);
}

bool file_write_all(int descriptor, const char *name, const void *bytes, size_t size, struct error *error) {
  const char *from = bytes;
  for (size_t left = size; left > 0;) {
    errno = fault_point(FAULT_WRITE);
    const ssize_t put = errno ? -1 : write(descriptor, from, left < WRITE_MAX ? left : WRITE_MAX);
    if (put < 0) {
      if (errno == EINTR) continue;
      return error_set_errno(error, "cannot write %s", name);
    }
    from += put;
    left -= (size_t)put;
  }
  return true;
}

/* Removes the decimal digits at the end of `name[0 … *length)`, and the character `before` in front of
 * them. */
static bool digits_take_back(const char *name, size_t *length, char before) {
  size_t first = *length;
  while (first > 0 && name[first - 1] >= '0' && name[first - 1] <= '9') first--;
  if (first == *length || first == 0 || name[first - 1] != before) return false;
  *length = first - 1;
  return true;
}

bool file_is_temporary(const char *name) {
  size_t length = strlen(name);
  if (name[0] != '.' || length < 5 || strcmp(name + length - 4, ".tmp") != 0) return false;
  length -= 4;
  return digits_take_back(name, &length, '-') && digits_take_back(name, &length, '-');
}

bool file_has_ending(const char *name, const char *ending) {
  const size_t length = strlen(name), size = strlen(ending);
  return length > size && strcasecmp(name + length - size, ending) == 0;
}
