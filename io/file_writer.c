#include "io/file_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/fault.h"
#include "io/hash_text.h"

/* Opens writer->temporary, a new name at every try; `beside` is a path in the temporary file's folder. */
static bool temporary_open(struct file_writer *writer, const char *beside, struct error *error) {
  do {
    free(writer->temporary);
    writer->temporary = file_temporary(beside);
    if (!writer->temporary) return error_set_memory(error, PATH_MAX, "a path");
    writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (writer->descriptor < 0 && errno == EEXIST); /* another thread took the same nanosecond */
  return writer->descriptor >= 0 || error_set_errno(error, "cannot write %s", writer->path);
}

static void writer_release(struct file_writer *writer) {
  if (writer->descriptor >= 0) close(writer->descriptor);
  XXH3_freeState(writer->hash);
  free(writer->path);
  free(writer->temporary);
  *writer = (struct file_writer){.descriptor = -1};
}

static bool writer_open(struct file_writer *writer, const char *beside, const char *path,
                        struct error *error) {
  *writer = (struct file_writer){.descriptor = -1};
  writer->path = strdup(path);
  writer->hash = XXH3_createState();
  if (!writer->path || !writer->hash) {
    error_set_memory(error, strlen(path), "a file to write");
    goto fail;
  }
  XXH3_128bits_reset(writer->hash);
  if (temporary_open(writer, beside, error)) return true;
fail:
  writer_release(writer);
  return false;
}

bool file_writer_open(struct file_writer *writer, const char *path, struct error *error) {
  return writer_open(writer, path, path, error);
}

bool file_writer_open_in(struct file_writer *writer, const char *folder, const char *path,
                         struct error *error) {
  const char *slash = strrchr(path, '/');
  char *beside = file_join(folder, slash ? slash + 1 : path);
  *writer = (struct file_writer){.descriptor = -1};
  const bool ok =
      beside ? writer_open(writer, beside, path, error) : error_set_memory(error, PATH_MAX, "a path");
  free(beside);
  return ok;
}

bool file_writer_write(struct file_writer *writer, const void *bytes, size_t size, struct error *error) {
  if (!file_write_all(writer->descriptor, writer->path, bytes, size, error)) return false;
  XXH3_128bits_update(writer->hash, bytes, size);
  writer->size += (int64_t)size;
  return true;
}

bool file_writer_commit(struct file_writer *writer, struct digest *digest, struct error *error) {
  errno = fault_point(FAULT_SYNC);
  if (errno || fsync(writer->descriptor) != 0) {
    error_set_errno(error, "cannot sync %s", writer->path);
    goto fail;
  }
  const int descriptor = writer->descriptor;
  writer->descriptor = -1;
  if (close(descriptor) != 0) { /* NFS may report a full disk only here */
    error_set_errno(error, "cannot close %s", writer->path);
    goto fail;
  }
  errno = fault_point(FAULT_RENAME);
  if (errno || rename(writer->temporary, writer->path) != 0) {
    error_set_errno(error, "cannot rename a finished file to %s", writer->path);
    goto fail;
  }
  if (digest) {
    digest->size = writer->size;
    hash_text(XXH3_128bits_digest(writer->hash), digest->hash);
  }
  writer_release(writer);
  return true;
fail:
  file_writer_abandon(writer);
  return false;
}

void file_writer_abandon(struct file_writer *writer) {
  if (!writer->temporary) return;
  unlink(writer->temporary);
  writer_release(writer);
}
