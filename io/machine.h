/* The machine that a process runs on, since the machine's last start. */
#pragma once

#include "io/error.h"

struct machine {
  char host[65]; /* node name, cut to fit */
  char boot[40]; /* the kernel's boot id, new at every start; "" without /proc */
};

/* Describes this process's machine. Zeros fill the rest of each text, so the struct may be sent and compared
 * as bytes. False if /proc cannot be read. */
bool machine_here(struct machine *machine, struct error *error);

/* True if both names agree; the host name alone is not enough, because several machines may share one. */
bool machine_same(const struct machine *a, const struct machine *b);
