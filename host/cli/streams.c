#include "host/cli/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/commands.h"
#include "host/cli/say.h"

void streams_open(void) {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    /* open() takes the lowest free number, so the new descriptor gets this number. The mode is the wrong one
     * on purpose: any use is an error. */
    if (open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
  }
}

int streams_close(int status) {
  const bool failed_before = ferror(stdout) || say_failed();
  errno = 0;
  const bool failed = fflush(stdout) != 0 || failed_before;
  const int number = errno;
  if (!failed || (status != EXIT_DONE && status != EXIT_REJECTS)) return status;
  say("not all could be written to standard output%s%s", number ? ": " : "", number ? strerror(number) : "");
  return EXIT_FAILED;
}
