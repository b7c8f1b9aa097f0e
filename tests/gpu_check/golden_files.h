/* The files of the golden models, in the program; the build writes their table. */
#pragma once

struct golden_file {
  const char *name; /* "<model>/<path in its folder>"; NULL after the last */
  const char *start, *end;
};

extern const struct golden_file golden_files[];
