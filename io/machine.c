#include "io/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "io/proc.h"

bool machine_here(struct machine *machine, struct error *error) {
  struct utsname name;
  memset(machine, 0, sizeof *machine);
  snprintf(machine->host, sizeof machine->host, "%s", uname(&name) == 0 ? name.nodename : "host");
  if (!proc_read("/proc/sys/kernel/random/boot_id", machine->boot, sizeof machine->boot, error)) return false;
  const size_t length = strcspn(machine->boot, "\n");
  memset(machine->boot + length, 0, sizeof machine->boot - length);
  return true;
}

bool machine_same(const struct machine *a, const struct machine *b) {
  return strcmp(a->host, b->host) == 0 && strcmp(a->boot, b->boot) == 0;
}
