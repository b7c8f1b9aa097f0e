/* Whole small files, pieces of open ones, folders, and names. io/file_writer.h writes files. */
#pragma once

#include <stdint.h>

#include "io/error.h"

/* The size of a file and the XXH3-128 of its bytes. */
struct digest {
  int64_t size;
  char hash[33]; /* 32 lower-case hexadecimal digits, high half first, as `xxhsum -H128` prints */
};

/* Opens a regular file for reading; *size is the file's present size. Anything else (a folder, a pipe, a
 * device, which may never end) is ERROR_INPUT at once, without a wait. */
bool file_open_regular(const char *path, int *descriptor, int64_t *size, struct error *error);

/* Reads a whole file of at most `limit` bytes; a larger file is ERROR_INPUT. *data is allocated (caller
 * frees) and has a NUL after its end. */
bool file_read(const char *path, size_t limit, char **data, size_t *size, struct error *error);

/* Digest of a file on disk, read in pieces. */
bool file_digest(const char *path, struct digest *digest, struct error *error);

/* Reads exactly `size` bytes at `offset` of an open file. If the file ends too early, the error is
 * ERROR_INPUT. `path` serves only the error sentence. */
bool file_read_at(int descriptor, const char *path, int64_t offset, void *bytes, size_t size,
                  struct error *error);

/* Writes all bytes to an open descriptor. `name` serves only the error sentence. */
bool file_write_all(int descriptor, const char *name, const void *bytes, size_t size, struct error *error);

/* Checks a folder or a file that the user named. ERROR_USAGE if it does not exist, or if a file is found for
 * a folder or a folder for a file. Other problems show when it is opened. */
bool file_check_folder(const char *path, struct error *error);
bool file_check_file(const char *path, struct error *error);

/* What tells a file from another one that has taken its path since: nothing is written into a finished file,
 * so another one has another time. */
struct file_stamp {
  int64_t size;
  int64_t changed; /* nanoseconds: when its bytes were last written */
};

/* The size is -1 if there is no regular file. False if the system cannot tell. */
bool file_stamp_read(const char *path, struct file_stamp *stamp, struct error *error);

/* The same of an open file; `path` is for the sentence. */
bool file_stamp_read_open(int descriptor, const char *path, struct file_stamp *stamp, struct error *error);
bool file_stamps_equal(const struct file_stamp *a, const struct file_stamp *b);

/* Makes a folder and the missing folders above it. The folder is durable then, also if it is there already: a
 * process that was killed may have made it just before. ERROR_USAGE if `path` is a file, or if it or a folder
 * above it is a link that leads nowhere. */
bool file_make_folder(const char *path, struct error *error);

/* Syncs a folder: the renames inside the folder become durable. */
bool file_sync_folder(const char *path, struct error *error);

/* Syncs the folder that the name `path` stands in; `path` has no slash at its end. */
bool file_sync_parent(const char *path, struct error *error);

/* Length of a path without the slashes at its end; 1 for the root. */
size_t file_path_length(const char *path);

/* `folder/name`; `folder` may end in a slash. Allocated (caller frees), or NULL if memory is short. */
char *file_join(const char *folder, const char *name);

/* A temporary name beside `path`: `.NAME.HOST-PID-N.tmp`, unique to this process and this try (N is the
 * clock's nanoseconds; a long NAME is cut, so that the whole is no longer than a name may be). Allocated
 * (caller frees), or NULL if memory is short. */
char *file_temporary(const char *path);

/* True if `name` (no folder) is a temporary name, from any process on any host. */
bool file_is_temporary(const char *name);

/* True if a name or path ends so, in capitals or not, and has more than the ending. */
bool file_has_ending(const char *name, const char *ending);
