/* Names: rename, link, remove, make a folder, look, list. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/preload/call_record.h"
#include "tests/preload/call_sites.h"

int rename(const char *from, const char *to) {
  if (call_fails(CALL_RENAME, CALLER)) return -1;
  record_lock();
  const int status = REAL(rename)(from, to);
  if (status == 0 && call_is_counted(CALLER)) record_line("rename\t%s\t%s\n", from, to);
  record_unlock();
  return status;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  return call_fails(CALL_RENAME, CALLER) ? -1 : REAL(renameat)(from_folder, from, to_folder, to);
}

int link(const char *from, const char *to) {
  if (call_fails(CALL_LINK, CALLER)) return -1;
  record_lock();
  const int status = REAL(link)(from, to);
  if (status == 0 && call_is_counted(CALLER)) record_line("link\t%s\t%s\n", from, to);
  record_unlock();
  return status;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  return call_fails(CALL_LINK, CALLER) ? -1 : REAL(linkat)(from_folder, from, to_folder, to, flags);
}

static int removed(const char *word, const char *path, int (*remove_path)(const char *), const void *caller) {
  if (call_fails(CALL_REMOVE, caller)) return -1;
  record_lock();
  const int status = remove_path(path);
  if (status == 0 && call_is_counted(caller)) record_line("%s\t%s\n", word, path);
  record_unlock();
  return status;
}

int unlink(const char *path) {
  return removed("unlink", path, REAL(unlink), CALLER);
}

int rmdir(const char *path) {
  return removed("rmdir", path, REAL(rmdir), CALLER);
}

int unlinkat(int folder, const char *path, int flags) {
  return call_fails(CALL_REMOVE, CALLER) ? -1 : REAL(unlinkat)(folder, path, flags);
}

int mkdir(const char *path, mode_t mode) {
  if (call_fails(CALL_FOLDER, CALLER)) return -1;
  record_lock();
  const int status = REAL(mkdir)(path, mode);
  if (status == 0 && call_is_counted(CALLER)) record_line("mkdir\t%s\n", path);
  record_unlock();
  return status;
}

int mkdirat(int folder, const char *path, mode_t mode) {
  return call_fails(CALL_FOLDER, CALLER) ? -1 : REAL(mkdirat)(folder, path, mode);
}

int stat(const char *path, struct stat *status) {
  return call_fails(CALL_LOOK, CALLER) ? -1 : REAL(stat)(path, status);
}

int lstat(const char *path, struct stat *status) {
  return call_fails(CALL_LOOK, CALLER) ? -1 : REAL(lstat)(path, status);
}

int fstat(int descriptor, struct stat *status) {
  return call_fails(CALL_LOOK, CALLER) ? -1 : REAL(fstat)(descriptor, status);
}

int fstatat(int folder, const char *path, struct stat *status, int flags) {
  return call_fails(CALL_LOOK, CALLER) ? -1 : REAL(fstatat)(folder, path, status, flags);
}

int access(const char *path, int mode) {
  return call_fails(CALL_LOOK, CALLER) ? -1 : REAL(access)(path, mode);
}

int faccessat(int folder, const char *path, int mode, int flags) {
  return call_fails(CALL_LOOK, CALLER) ? -1 : REAL(faccessat)(folder, path, mode, flags);
}

int statvfs(const char *path, struct statvfs *status) {
  return call_fails(CALL_LOOK, CALLER) ? -1 : REAL(statvfs)(path, status);
}

ssize_t readlink(const char *path, char *target, size_t size) {
  return call_fails(CALL_LOOK, CALLER) ? -1 : REAL(readlink)(path, target, size);
}

char *realpath(const char *path, char *resolved) {
  return call_fails(CALL_LOOK, CALLER) ? NULL : REAL(realpath)(path, resolved);
}

DIR *opendir(const char *path) {
  DIR *folder = call_fails(CALL_OPEN, CALLER) ? NULL : REAL(opendir)(path);
  if (folder) descriptor_opened(dirfd(folder), CALLER);
  return folder;
}

int scandir(const char *path, struct dirent ***names, int (*filter)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **)) {
  return call_fails(CALL_OPEN, CALLER) ? -1 : REAL(scandir)(path, names, filter, compare);
}

struct dirent *readdir(DIR *folder) {
  return call_fails(CALL_LIST, CALLER) ? NULL : REAL(readdir)(folder);
}
