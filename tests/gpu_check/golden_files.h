/* The golden models' files, stored in the program; the build writes the table. */
#pragma once

struct golden_file {
  const char *name; /* "<model>/<path in its folder>"; NULL after the last file */
  const char *start, *end;
};

extern const struct golden_file golden_files[];
