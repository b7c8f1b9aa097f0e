#include "io/machine.h"

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
  const ssize_t got = read(descriptor, machine->boot, sizeof machine->boot - 1);
  close(descriptor);
  const size_t length = got > 0 ? strcspn(machine->boot, "\n") : 0;
  memset(machine->boot + length, 0, sizeof machine->boot - length);
}

bool machine_same(const struct machine *a, const struct machine *b) {
  return strcmp(a->host, b->host) == 0 && strcmp(a->boot, b->boot) == 0;
}
