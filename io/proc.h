/* Small files of /proc. */
#pragma once

#include <stddef.h>

#include "io/error.h"

/* Reads the first bytes of a file into text[size], with a NUL behind them; "" if there is no such file, or
 * the process that it tells of is gone, or may not be looked at. False if it is there and cannot be read:
 * nothing is known then, least of all that a process is gone. Does not pass through the fault switch. */
bool proc_read(const char *path, char *text, size_t size, struct error *error);

/* The same for a link's target. */
bool proc_read_link(const char *path, char *text, size_t size, struct error *error);
