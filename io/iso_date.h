/* Dates and times of ISO 8601 as people store them: "2026-11-03", "2026-11-03T09:30", "2026-11-03
 * 09:30:15.25Z", "2026-11-03T09:30:15+01:00". Without a time it is midnight, without a zone UTC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct iso_date {
  int64_t seconds; /* since 1970-01-01T00:00Z */
  int32_t nanoseconds;
};

/* False if the text is no such date. */
bool iso_date_read(const char *text, int64_t length, struct iso_date *date);

/* Below 0, 0 or above 0 as a is before, at or after b. */
int iso_date_compare(const struct iso_date *a, const struct iso_date *b);
