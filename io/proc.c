#include "io/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* False with the error if `number` says that nothing is known. */
static bool is_nothing(int number, const char *path, struct error *error) {
  if (number == ENOENT || number == ESRCH || number == EACCES || number == EPERM) return true;
  errno = number;
  return error_set_errno(error, "cannot read %s", path);
}

bool proc_read(const char *path, char *text, size_t size, struct error *error) {
  size_t used = 0;
  int number = 0;
  text[0] = '\0';
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return is_nothing(errno, path, error);
  while (used < size - 1) {
    const ssize_t got = read(descriptor, text + used, size - 1 - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) number = errno;
    if (got <= 0) break;
    used += (size_t)got;
  }
  close(descriptor);
  text[number ? 0 : used] = '\0';
  return !number || is_nothing(number, path, error);
}

bool proc_read_link(const char *path, char *text, size_t size, struct error *error) {
  const ssize_t length = readlink(path, text, size - 1);
  text[length < 0 ? 0 : length] = '\0';
  return length >= 0 || is_nothing(errno, path, error);
}
