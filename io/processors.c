#include "io/processors.h"

#include <sched.h>
#include <stdbool.h>
#include <xxhash.h>

/* The kernel refuses a mask that is smaller than its own, and cpu_set_t has room for 1,024 processors only.
 * Linux can be built for 8,192. */
#define PROCESSORS_MAX 65536

void processors_read(struct processors *processors) {
  cpu_set_t mask[PROCESSORS_MAX / CPU_SETSIZE];
  const bool known = sched_getaffinity(0, sizeof mask, mask) == 0;
  processors->count = known ? CPU_COUNT_S(sizeof mask, mask) : 1;
  processors->mask = known ? XXH3_64bits(mask, sizeof mask) : 0;
}

int32_t processors_allowed(void) {
  struct processors processors;
  processors_read(&processors);
  return processors.count;
}
