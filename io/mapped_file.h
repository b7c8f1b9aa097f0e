/* Files mapped into memory, read-only. A page of one that cannot be read (the file was shortened meanwhile,
 * or its disk fails) is no error that a function could return: the system sends SIGBUS to the thread that
 * touches it. mapped_file_name() tells the handler of that signal which file it was. */
#pragma once

#include <stdint.h>

#include "io/error.h"

#define MAPPED_FILES_MAX 1024 /* at a time: far more than the parts that any model's weights come in */

struct mapped_file {
  const unsigned char *bytes;
  int64_t size; /* above 0 */
  int slot;     /* in the table that mapped_file_name() looks in */
};

/* Maps a whole regular file. `path` must outlive the mapping; an empty file is ERROR_INPUT. `kind` says what
 * was expected, as "a safetensors file". */
bool mapped_file_open(struct mapped_file *file, const char *path, const char *kind, struct error *error);

/* A zeroed struct mapped_file may be closed too. */
void mapped_file_close(struct mapped_file *file);

/* Path of the file that is mapped at an address; NULL if there is none. May be called in a signal handler. */
const char *mapped_file_name(const void *address);
