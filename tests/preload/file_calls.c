/* Files: open, close, read, write, sync, truncate. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/preload/call_record.h"
#include "tests/preload/call_sites.h"

static const char *kind_of_open(const char *path, int flags) {
  struct stat status;
  if (REAL(lstat)(path, &status) != 0) return "created";
  if (S_ISDIR(status.st_mode)) return "folder";
  return flags & O_TRUNC ? "emptied" : "old";
}

static int opened(const char *path, int flags, mode_t mode, const void *caller) {
  if (call_fails(CALL_OPEN, caller)) return -1;
  record_lock();
  const char *kind = record_descriptor() < 0 ? "" : kind_of_open(path, flags);
  const int descriptor = REAL(open)(path, flags, mode);
  descriptor_opened(descriptor, caller);
  if (descriptor >= 0 && call_is_counted(caller)) record_line("open\t%d\t%s\t%s\n", descriptor, kind, path);
  record_unlock();
  return descriptor;
}

/* The mode is there only if a file may be made. */
#define OPEN_FUNCTION(name)                                         \
  int name(const char *path, int flags, ...) {                      \
    va_list rest;                                                   \
    va_start(rest, flags);                                          \
    const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                   \
    return opened(path, flags, mode, CALLER);                       \
  }
OPEN_FUNCTION(open)
OPEN_FUNCTION(open64)

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags) {
  return opened(path, flags, 0, CALLER);
}

int openat(int folder, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  const int descriptor = call_fails(CALL_OPEN, CALLER) ? -1 : REAL(openat)(folder, path, flags, mode);
  descriptor_opened(descriptor, CALLER);
  return descriptor;
}

FILE *fopen(const char *path, const char *mode) {
  FILE *file = call_fails(CALL_OPEN, CALLER) ? NULL : REAL(fopen)(path, mode);
  if (file) descriptor_opened(fileno(file), CALLER);
  return file;
}

FILE *fopen64(const char *path, const char *mode) {
  FILE *file = call_fails(CALL_OPEN, CALLER) ? NULL : REAL(fopen64)(path, mode);
  if (file) descriptor_opened(fileno(file), CALLER);
  return file;
}

int mkstemp(char *path) {
  const int descriptor = call_fails(CALL_OPEN, CALLER) ? -1 : REAL(mkstemp)(path);
  descriptor_opened(descriptor, CALLER);
  return descriptor;
}

int pipe(int ends[2]) {
  return call_fails(CALL_OPEN, CALLER) ? -1 : REAL(pipe)(ends);
}

int close(int descriptor) {
  const bool fails = call_fails(CALL_CLOSE, CALLER);
  const int number = errno;
  record_lock();
  descriptor_closed(descriptor);
  const int status = REAL(close)(descriptor);
  if (status == 0 && call_is_counted(CALLER)) record_line("close\t%d\n", descriptor);
  record_unlock();
  if (!fails) return status;
  errno = number;
  return -1;
}

int fclose(FILE *file) {
  const bool fails = call_fails(CALL_CLOSE, CALLER);
  const int number = errno, status = REAL(fclose)(file);
  if (!fails) return status;
  errno = number;
  return EOF;
}

static size_t part_of(size_t size) {
  return size > 1 ? size / 2 : size;
}

ssize_t read(int descriptor, void *bytes, size_t size) {
  const enum call_outcome outcome = call_outcome(CALL_READ, CALLER);
  if (outcome == OUTCOME_FAIL) return -1;
  return REAL(read)(descriptor, bytes, outcome == OUTCOME_SHORT ? part_of(size) : size);
}

static ssize_t read_at(int descriptor, void *bytes, size_t size, off_t offset, const void *caller) {
  const enum call_outcome outcome = call_outcome(CALL_READ, caller);
  if (outcome == OUTCOME_FAIL) return -1;
  return REAL(pread)(descriptor, bytes, outcome == OUTCOME_SHORT ? part_of(size) : size, offset);
}

ssize_t pread(int descriptor, void *bytes, size_t size, off_t offset) {
  return read_at(descriptor, bytes, size, offset, CALLER);
}

ssize_t pread64(int descriptor, void *bytes, size_t size, off64_t offset) {
  return read_at(descriptor, bytes, size, offset, CALLER);
}

/* A negative offset: where the file stands. */
static ssize_t written(int descriptor, const void *bytes, size_t size, off_t offset, const void *caller) {
  const enum call_outcome outcome = call_outcome(CALL_WRITE, caller);
  if (outcome == OUTCOME_FAIL) return -1;
  if (outcome == OUTCOME_SHORT) size = part_of(size);
  record_lock();
  const off_t at = offset < 0 && record_descriptor() >= 0 ? lseek(descriptor, 0, SEEK_CUR) : offset;
  const ssize_t put =
      offset < 0 ? REAL(write)(descriptor, bytes, size) : REAL(pwrite)(descriptor, bytes, size, offset);
  if (put > 0 && at >= 0 && call_is_counted(caller)) record_write(descriptor, at, bytes, (size_t)put);
  record_unlock();
  return put;
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
  return written(descriptor, bytes, size, -1, CALLER);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
  return written(descriptor, bytes, size, offset, CALLER);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset) {
  return written(descriptor, bytes, size, offset, CALLER);
}

int fflush(FILE *file) {
  return call_fails(CALL_FLUSH, CALLER) ? EOF : REAL(fflush)(file);
}

static int synced(int descriptor, int (*sync)(int), const void *caller) {
  if (call_fails(CALL_SYNC, caller)) return -1;
  record_lock();
  const int status = sync(descriptor);
  if (status == 0 && call_is_counted(caller)) record_line("sync\t%d\n", descriptor);
  record_unlock();
  return status;
}

int fsync(int descriptor) {
  return synced(descriptor, REAL(fsync), CALLER);
}

int fdatasync(int descriptor) {
  return synced(descriptor, REAL(fdatasync), CALLER);
}

int ftruncate(int descriptor, off_t size) {
  if (call_fails(CALL_TRUNCATE, CALLER)) return -1;
  record_lock();
  const int status = REAL(ftruncate)(descriptor, size);
  if (status == 0 && call_is_counted(CALLER))
    record_line("truncate\t%d\t%lld\n", descriptor, (long long)size);
  record_unlock();
  return status;
}
