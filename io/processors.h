/* The processors that this process may use: its affinity mask. */
#pragma once

#include <stdint.h>

struct processors {
  int32_t count;
  uint64_t mask; /* the mask's hash, to tell one mask from another on the same machine */
};

/* If the system does not tell the mask, count is 1 and mask 0. */
void processors_read(struct processors *processors);

/* The count alone. */
int32_t processors_allowed(void);
