#include "io/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

void machine_here(struct machine *machine) {
  struct utsname name;
  memset(machine, 0, sizeof *machine);
  snprintf(machine->host, sizeof machine->host, "%s", uname(&name) == 0 ? name.nodename : "host");
  const int descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  size_t used = 0;
  while (used < sizeof machine->boot - 1) {
    const ssize_t got = read(descriptor, machine->boot + used, sizeof machine->boot - 1 - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += (size_t)got;
  }
  close(descriptor);
  const size_t length = strcspn(machine->boot, "\n");
  memset(machine->boot + length, 0, sizeof machine->boot - length);
}

bool machine_same(const struct machine *a, const struct machine *b) {
  return strcmp(a->host, b->host) == 0 && strcmp(a->boot, b->boot) == 0;
}
