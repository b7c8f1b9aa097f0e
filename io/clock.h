/* The clock for waits and rates. */
#pragma once

#include <stdint.h>

/* CLOCK_MONOTONIC in ns. */
int64_t clock_now(void);
