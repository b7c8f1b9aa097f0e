/* Whole small files, folders, and files that appear under their name only when they are complete.
 *
 * A name that a sentence of an error gives is the final one, never the temporary one. Every write, fsync,
 * rename and read of output files goes through here and so through the fault switch. */
#pragma once

#include <stdint.h>

#include "io/error.h"

/* The size of a file and the XXH3-128 of its bytes. */
struct digest {
  int64_t size;
  char hash[33]; /* 32 lower-case hexadecimal digits, high half first, as `xxhsum -H128` prints */
};

/* Opens a regular file to read it; *size is the file's now. Anything else (a folder, a pipe, a device, which
 * may never end) is ERROR_INPUT at once, without waiting for it. */
bool file_open_regular(const char *path, int *descriptor, int64_t *size, struct error *error);

/* Reads a whole file of at most `limit` bytes; a larger one is ERROR_INPUT. *data is allocated (caller frees)
 * and has a NUL after its end. */
bool file_read(const char *path, size_t limit, char **data, size_t *size, struct error *error);

/* Digest of a file as it is on disk, read in pieces. */
bool file_digest(const char *path, struct digest *digest, struct error *error);

/* Reads exactly `size` bytes at `offset` of an open file; a file that ends before them is ERROR_INPUT. `path`
 * is for the sentence alone. */
bool file_read_at(int descriptor, const char *path, int64_t offset, void *bytes, size_t size,
                  struct error *error);

/* Whether a folder, or a file, that the user named is there: ERROR_USAGE where it is not, or is the other of
 * the two. What else may be wrong with it shows when it is opened. */
bool file_check_folder(const char *path, struct error *error);
bool file_check_file(const char *path, struct error *error);

/* Makes a folder, and the folders above it, where missing; what it made is durable. ERROR_USAGE where it is a
 * file. */
bool file_make_folder(const char *path, struct error *error);

/* fsync of a folder: makes the renames inside it durable. */
bool file_sync_folder(const char *path, struct error *error);

/* Length of a path without the slashes at its end; of the root 1. */
size_t file_path_length(const char *path);

/* `folder/name`, whether or not the folder is spelled with a slash at its end; allocated (caller frees), or
 * NULL when memory is short. */
char *file_join(const char *folder, const char *name);

/* A temporary name beside `path`: `.NAME.HOST-PID-N.tmp`, unique to this process and try (N is the clock's
 * nanoseconds). Allocated (caller frees), or NULL when memory is short. */
char *file_temporary(const char *path);

/* True where `name` (no folder) is such a name, whoever's. */
bool file_is_temporary(const char *name);

/* A file being written under a temporary name, beside its final one or in a folder of the same file system.
 * After an open exactly one of commit or abandon must be called; abandon after either of them, or after a
 * failed open, does nothing. Bytes go to the system as they come: hand over large pieces. */
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

/* fsync, close, rename; `digest` may be NULL. The folder is not yet synced: the caller does that once for all
 * the files that it commits together. On failure the temporary file is removed. */
bool file_writer_commit(struct file_writer *writer, struct digest *digest, struct error *error);

void file_writer_abandon(struct file_writer *writer);
