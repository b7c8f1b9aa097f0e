/* The clock that waits and rates are measured by. */
#pragma once

#include <stdint.h>

/* CLOCK_MONOTONIC in ns. */
int64_t clock_now(void);
