/* A shard as one stream of decompressed bytes: a plain file, gzip (RFC 1952, any number of members), zstd
 * (RFC 8878, any number of frames, skippable ones too), or standard input. The format follows from the first
 * bytes, not from the name. Only if a regular file has fewer than two bytes does its name decide: a plain one
 * is empty, a .gz or .zst is truncated. Damage can be seen in compressed files only. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "io/error.h"

struct byte_source;

/* The first bytes of a stream that cannot be read twice, as somebody has taken them from it. */
struct byte_head {
  unsigned char *bytes; /* owned; compressed if the stream is */
  size_t size;
};

void byte_head_free(struct byte_head *head);

/* `path` is a file, or "-" for standard input. NULL on error: ERROR_IO, or ERROR_INPUT if `path` is no
 * regular file. */
struct byte_source *byte_source_open(const char *path, struct error *error);

/* As byte_source_open. What waits for a pipe ends soon after *stop is set: with -1 and ERROR_IO, "stopped".
 * The bytes of `head`, which must outlive the source, come before those that the pipe still has. Both may be
 * NULL. */
struct byte_source *byte_source_open_until(const char *path, const atomic_int *stop,
                                           const struct byte_head *head, struct error *error);

/* The same without a head; the source keeps all that it takes from the file or pipe. byte_source_take_head
 * hands that over, and the source is then good for nothing but being closed. */
struct byte_source *byte_source_open_keeping(const char *path, const atomic_int *stop, struct error *error);
void byte_source_take_head(struct byte_source *source, struct byte_head *head);

/* Reads up to `capacity` bytes into `buffer`. Returns their number (at least 1), 0 at the end, or -1 on an
 * I/O error (ERROR_IO), on damage (ERROR_INPUT: a truncated or corrupt stream, garbage after the last member)
 * or where memory for the decompressor is short (ERROR_MEMORY). All bytes before the damage have been
 * returned by earlier calls, and where it is depends on the file alone, not on the capacities asked for.
 * After -1 every further call returns -1 with the same error. Messages name the file and the byte of it (not
 * of its text). */
int64_t byte_source_read(struct byte_source *source, void *buffer, size_t capacity, struct error *error);

/* True where byte_source_seek works: a plain regular file, opened by its name. */
bool byte_source_can_seek(const struct byte_source *source);

/* Goes to a byte offset of the stream. An offset past the end is ERROR_INPUT: the file is shorter than it
 * was. */
bool byte_source_seek(struct byte_source *source, int64_t offset, struct error *error);

/* Bytes taken from the file or pipe so far (compressed ones where it is compressed), and after a seek the
 * place in the file: for progress. */
int64_t byte_source_consumed(const struct byte_source *source);

/* The same without what was read ahead: bytes that have become text. */
int64_t byte_source_position(const struct byte_source *source);

/* Bytes of the file now; -1 for a pipe, and if the system does not tell. */
int64_t byte_source_size(const struct byte_source *source);

void byte_source_close(struct byte_source *source);
