#include "io/run/trial_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/fault.h"

#define TEXT_MAX 16

bool trial_file_make(int folder, const char *name, const char *text) {
  const int number = fault_point(FAULT_WRITE);
  const int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  const ssize_t size = (ssize_t)strlen(text);
  if (file < 0) return false;
  const ssize_t written = number ? -1 : pwrite(file, text, (size_t)size, 0);
  const int problem = number ? number : written < 0 ? errno : ENOSPC;
  if (close(file) != 0) return false;
  errno = problem;
  return written == size;
}

bool trial_file_holds(int folder, const char *name, const char *text) {
  char found[TEXT_MAX] = "";
  const int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t size = pread(file, found, sizeof found - 1, 0);
  close(file);
  return size >= 0 && strcmp(found, text) == 0;
}

bool trial_file_rename(int folder, const char *from, const char *to) {
  const int number = fault_point(FAULT_RENAME);
  if (!number) return renameat(folder, from, folder, to) == 0;
  errno = number;
  return false;
}
