/* A run's counts over its time, at a fixed cost: if the series is full, its intervals become twice as long.
 * A zeroed struct is empty. */
#pragma once

#include <stdint.h>

#define THROUGHPUT_MAX 240

struct throughput {
  int64_t interval; /* ns */
  int32_t count;
  int64_t tokens[THROUGHPUT_MAX], rows[THROUGHPUT_MAX]; /* [count] sums up to the end of each interval */
};

/* Enters the sums at `time`, in ns since the start. Calls come in the order of time. */
void throughput_add(struct throughput *throughput, int64_t time, int64_t tokens, int64_t rows);
