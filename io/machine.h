/* The machine that a process runs on, since its last start. */
#pragma once

#include <stdbool.h>

struct machine {
  char host[65]; /* node name; cut to fit */
  char boot[40]; /* the kernel's boot id, a new one at every start; "" where there is no /proc */
};

/* This process's, with zeros behind each text: it may be sent and compared as bytes. */
void machine_here(struct machine *machine);

/* True where both names agree: several machines may bear one host name. */
bool machine_same(const struct machine *a, const struct machine *b);
