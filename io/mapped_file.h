/* Files mapped into memory, read-only.
 *
 * If another program writes into a mapped file, its bytes show here: mapped_file_stands tells. A file that
 * another one replaces under its name stays as it was.
 *
 * A page may become unreadable (the file was shortened meanwhile, or its disk fails). No function can return
 * this error: the system sends SIGBUS to the thread that touches the page. mapped_file_name() gives the
 * signal's handler the file's name. */
#pragma once

#include <stdint.h>

#include "io/file.h"

#define MAPPED_FILES_MAX 1024 /* at a time; no model's weights come in nearly so many parts */

struct mapped_file {
  const unsigned char *bytes;
  int64_t size; /* above 0 */
  int slot;     /* index in mapped_file_name()'s table */
  const char *path;
  int descriptor;
  struct file_stamp stamp; /* when it was mapped */
};

/* Maps a whole regular file. `path` must outlive the mapping; an empty file is ERROR_INPUT. `kind` is the
 * expected kind for the error sentence, such as "a safetensors file". */
bool mapped_file_open(struct mapped_file *file, const char *path, const char *kind, struct error *error);

/* False with ERROR_INPUT if the file was written to since it was mapped. Ask after reading, before what was
 * read is used. */
bool mapped_file_stands(const struct mapped_file *file, struct error *error);

/* A zeroed struct mapped_file may be closed too. */
void mapped_file_close(struct mapped_file *file);

/* Path of the file mapped at an address; NULL if there is none. A signal handler may call this. */
const char *mapped_file_name(const void *address);
