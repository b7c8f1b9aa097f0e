#include "io/raw_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fault.h"
#include "io/file.h"

#define STOP_INTERVAL_MS 100 /* how often a wait for a pipe checks *stop */

/* Waits until a pipe has bytes. False if *stop is set, before a read of a file too: a long input must not
 * keep a stopped run waiting for its end. */
static bool wait_for_input(const struct raw_input *raw) {
  struct pollfd pipe = {.fd = raw->descriptor, .events = POLLIN};
  while (raw->stop && !atomic_load(raw->stop)) {
    if (raw->regular) return true;
    const int ready = poll(&pipe, 1, STOP_INTERVAL_MS);
    /* The signal that sets *stop interrupts the wait. */
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
  return !raw->stop;
}

/* Gives bytes from the rest of the head. */
static size_t read_head(struct raw_input *raw, void *bytes, size_t capacity) {
  const size_t left = raw->head ? raw->head->size - raw->head_used : 0;
  const size_t count = left < capacity ? left : capacity;
  if (count > 0) memcpy(bytes, raw->head->bytes + raw->head_used, count);
  raw->head_used += count;
  raw->consumed += (int64_t)count;
  return count;
}

/* Before a read: makes room in raw->keep, for as many bytes as it may hold. */
static bool keep_reserve(struct raw_input *raw, size_t *capacity) {
  const size_t left = BYTE_HEAD_MAX - raw->keep->size;
  if (left == 0)
    return error_set(&raw->failure, ERROR_INPUT, "the first %zu bytes of %s have been read", BYTE_HEAD_MAX,
                     raw->name);
  if (*capacity > left) *capacity = left;
  return byte_head_reserve(raw->keep, *capacity, &raw->failure);
}

ssize_t raw_input_read(struct raw_input *raw, void *bytes, size_t capacity) {
  ssize_t count = (ssize_t)read_head(raw, bytes, capacity);
  if (count > 0) return count;
  if (!wait_for_input(raw)) {
    error_set(&raw->failure, ERROR_IO, "stopped while reading %s", raw->name);
    return -1;
  }
  if (raw->keep && !keep_reserve(raw, &capacity)) return -1;
  do {
    errno = fault_point(FAULT_READ);
    count = errno ? -1 : read(raw->descriptor, bytes, capacity);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    error_set_errno(&raw->failure, "cannot read %s at byte %lld", raw->name, (long long)raw->consumed);
    return -1;
  }
  raw->consumed += count;
  if (raw->keep) byte_head_add(raw->keep, bytes, (size_t)count);
  return count;
}

bool raw_input_more(struct raw_input *raw) {
  const ssize_t count = raw_input_read(raw, raw->buffer + raw->size, RAW_INPUT_CAPACITY - raw->size);
  if (count < 0) return false;
  raw->size += (size_t)count;
  raw->ended = count == 0;
  return true;
}

bool raw_input_fill(struct raw_input *raw) {
  if (raw_input_held(raw) > 0 || raw->ended) return true;
  raw->used = raw->size = 0;
  return raw_input_more(raw);
}

int64_t raw_input_position(const struct raw_input *raw) {
  return raw->consumed - (int64_t)raw_input_held(raw);
}

bool raw_input_open(struct raw_input *raw, const char *path) {
  const bool standard_input = strcmp(path, "-") == 0;
  raw->descriptor = -1;
  raw->name = strdup(standard_input ? "standard input" : path);
  raw->buffer = malloc(RAW_INPUT_CAPACITY);
  if (!raw->name || !raw->buffer)
    return error_set_memory(&raw->failure, RAW_INPUT_CAPACITY, "reading a shard");
  raw->owned = !standard_input;
  if (raw->owned) {
    int64_t size;
    if (!file_open_regular(path, &raw->descriptor, &size, &raw->failure)) return false;
    raw->regular = true;
  } else {
    struct stat status;
    raw->descriptor = STDIN_FILENO;
    if (fstat(raw->descriptor, &status) != 0)
      return error_set_errno(&raw->failure, "cannot examine %s", raw->name);
    if (S_ISDIR(status.st_mode))
      return error_set(&raw->failure, ERROR_USAGE, "%s is a folder: expected lines of text", raw->name);
    raw->regular = S_ISREG(status.st_mode);
  }
  /* Only advice: a pipe refuses, without harm. */
  posix_fadvise(raw->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  return true;
}

bool raw_input_seek(struct raw_input *raw, int64_t offset, struct error *error) {
  struct stat status;
  if (fstat(raw->descriptor, &status) != 0) return error_set_errno(error, "cannot examine %s", raw->name);
  if (offset < 0 || offset > status.st_size)
    return error_set(error, ERROR_INPUT,
                     "cannot go to byte %lld of %s: the file has %lld bytes; was it changed?",
                     (long long)offset, raw->name, (long long)status.st_size);
  if (lseek(raw->descriptor, offset, SEEK_SET) < 0)
    return error_set_errno(error, "cannot go to byte %lld of %s", (long long)offset, raw->name);
  raw->used = raw->size = 0;
  raw->ended = false;
  raw->consumed = offset;
  raw->failure.code = ERROR_NONE;
  return true;
}

int64_t raw_input_file_size(const struct raw_input *raw) {
  struct stat status;
  if (!raw->regular || fstat(raw->descriptor, &status) != 0) return -1;
  return status.st_size;
}

void raw_input_close(struct raw_input *raw) {
  if (raw->owned && raw->descriptor >= 0) close(raw->descriptor);
  free(raw->buffer);
  free(raw->name);
}
