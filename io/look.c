#include "io/look.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum look_kind kind_of(mode_t mode) {
  return S_ISREG(mode) ? LOOK_FILE : S_ISDIR(mode) ? LOOK_FOLDER : S_ISLNK(mode) ? LOOK_LINK : LOOK_OTHER;
}

/* `number` is the look's errno, or 0. */
static bool look_fill(const char *path, int number, const struct stat *status, struct look *look,
                      struct error *error) {
  *look = (struct look){.kind = LOOK_NOTHING};
  if (number == ENOENT || number == ENOTDIR) return true;
  if (number) {
    errno = number;
    error_set_errno(error, "cannot look at %s", path);
    errno = number;
    return false;
  }
  /* A date past the year 2262 wraps, and differs from others as any date does. */
  const uint64_t seconds = (uint64_t)status->st_mtim.tv_sec, rest = (uint64_t)status->st_mtim.tv_nsec;
  *look = (struct look){.kind = kind_of(status->st_mode),
                        .size = status->st_size,
                        .changed = (int64_t)(seconds * 1000000000 + rest),
                        .device = status->st_dev,
                        .inode = status->st_ino};
  return true;
}

bool look_at(const char *path, struct look *look, struct error *error) {
  struct stat status;
  const int number = stat(path, &status) == 0 ? 0 : errno;
  return look_fill(path, number, &status, look, error);
}

bool look_at_link(const char *path, struct look *look, struct error *error) {
  struct stat status;
  const int number = lstat(path, &status) == 0 ? 0 : errno;
  return look_fill(path, number, &status, look, error);
}

bool look_at_open(int descriptor, const char *path, struct look *look, struct error *error) {
  struct stat status;
  const int number = fstat(descriptor, &status) == 0 ? 0 : errno;
  return look_fill(path, number, &status, look, error);
}

bool look_in(const char *folder, const char *name, bool *there, struct error *error) {
  char path[PATH_MAX];
  struct look look = {.kind = LOOK_NOTHING};
  *there = false;
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
    return error_set(error, ERROR_IO, "the path of %s in %s is longer than %d bytes", name, folder, PATH_MAX);
  const bool ok = look_at(path, &look, error);
  *there = look.kind != LOOK_NOTHING;
  return ok;
}

/* Cuts off a path's last component; "" if there is no other. */
static void path_shorten(char *path) {
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  while (length > 0 && path[length - 1] != '/') length--;
  path[length] = '\0';
}

/* The path without links; if nothing is there, that of the nearest folder above it. NULL on error. */
static char *path_resolve(const char *path, struct error *error) {
  char *above = strdup(path), *resolved = NULL;
  bool nothing = above != NULL;
  while (nothing && !resolved) {
    resolved = realpath(*above ? above : ".", NULL);
    nothing = !resolved && (errno == ENOENT || errno == ENOTDIR) && *above && strcmp(above, "/") != 0;
    if (nothing) path_shorten(above);
  }
  free(above);
  if (!resolved) error_set_errno(error, "cannot look at %s", path);
  return resolved;
}

bool look_lies_in(const char *path, const char *folder, bool *inside, struct error *error) {
  struct look wanted, here;
  *inside = false;
  if (!look_at(folder, &wanted, error)) return false;
  if (wanted.kind != LOOK_FOLDER) return true;
  char *above = path_resolve(path, error);
  bool ok = above != NULL;
  /* From the path up to the root. */
  for (bool last = false; ok && !last && !*inside;) {
    ok = look_at(above, &here, error);
    *inside = ok && look_is_same(&here, &wanted);
    last = strcmp(above, "/") == 0;
    path_shorten(above);
  }
  free(above);
  return ok;
}

bool look_is_same(const struct look *a, const struct look *b) {
  return a->kind != LOOK_NOTHING && b->kind != LOOK_NOTHING && a->device == b->device && a->inode == b->inode;
}
