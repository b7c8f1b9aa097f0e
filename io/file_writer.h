/* Files that appear under their name only when they are complete.
 *
 * An error sentence always gives the final name, never the temporary one. Output files are
 * written, synced and renamed through this file, and so through the fault switch (io/fault.h).
 * io/run/job_lock.c and io/run/job_folder.c, which guard OUT, call the system themselves. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/file.h"

/* A file being written under a temporary name, beside its final name or in a folder on the same file system.
 * After an open, the caller must call exactly one of commit and abandon. A further abandon, or an abandon
 * after a failed open, does nothing. Bytes go to the system at once: hand over large pieces. */
struct file_writer {
  int descriptor;
  char *path;
  char *temporary;
  int64_t size;
  struct XXH3_state_s *hash;
};

bool file_writer_open(struct file_writer *writer, const char *path, struct error *error);
bool file_writer_open_in(struct file_writer *writer, const char *folder, const char *path,
                         struct error *error);

bool file_writer_write(struct file_writer *writer, const void *bytes, size_t size, struct error *error);

/* Syncs, closes and renames the file; `digest` may be NULL. The folder is not yet synced: the caller syncs
 * the folder once for all files committed together. On failure the temporary file is removed. */
bool file_writer_commit(struct file_writer *writer, struct digest *digest, struct error *error);

void file_writer_abandon(struct file_writer *writer);
