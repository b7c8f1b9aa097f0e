/* A shard as one stream of decompressed bytes: a plain file, gzip (RFC 1952, any number of members), zstd
 * (RFC 8878, any number of frames, also skippable ones), or standard input. The first bytes decide the
 * format, not the name. Only if a regular file has fewer than two bytes, the name decides: a plain file is
 * empty, a .gz or .zst is truncated. Only compressed files can show damage. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "io/byte_head.h"
#include "io/error.h"

struct byte_source;

/* `path` is a file, or "-" for standard input. NULL on error: ERROR_IO, or ERROR_INPUT if `path` is not a
 * regular file. */
struct byte_source *byte_source_open(const char *path, struct error *error);

/* As byte_source_open. Soon after *stop is set, reading ends with -1 and ERROR_IO, "stopped", even if it
 * waits for a pipe. The bytes of `head` come first, then the rest of the pipe; `head` must outlive the
 * source. `stop` and `head` may be NULL. */
struct byte_source *byte_source_open_until(const char *path, const atomic_int *stop,
                                           const struct byte_head *head, struct error *error);

/* As byte_source_open_until without a head; *keep, the caller's, also gets every byte taken from the file or
 * pipe, whatever fails, the opening too. So another reader can begin at the start. Once *keep is full
 * (BYTE_HEAD_MAX), reading ends with -1 and ERROR_INPUT. */
struct byte_source *byte_source_open_keeping(const char *path, const atomic_int *stop, struct byte_head *keep,
                                             struct error *error);

/* Reads up to `capacity` bytes into `buffer`. Returns the number read (at least 1), 0 at the end, or -1 on an
 * I/O error (ERROR_IO), on damage (ERROR_INPUT: a truncated or corrupt stream, garbage after the last
 * member), or if the decompressor is short of memory (ERROR_MEMORY). Earlier calls have then returned all
 * bytes before the damage. The place of the damage depends on the file alone, not on the capacities asked
 * for. After -1 every further call returns -1 with the same error. Messages name the file and the byte in the
 * file (not in the text). */
int64_t byte_source_read(struct byte_source *source, void *buffer, size_t capacity, struct error *error);

/* True if byte_source_seek works: a plain regular file, opened by name. */
bool byte_source_can_seek(const struct byte_source *source);

/* Goes to a byte offset in the stream. An offset past the end is ERROR_INPUT: the file has become shorter. */
bool byte_source_seek(struct byte_source *source, int64_t offset, struct error *error);

/* Bytes taken from the file or pipe so far (compressed bytes for a compressed file); after a seek, the place
 * in the file. For progress. */
int64_t byte_source_consumed(const struct byte_source *source);

/* The same without bytes read ahead: only bytes that have become text. */
int64_t byte_source_position(const struct byte_source *source);

/* Size of the file now; -1 for a pipe, or if the system does not tell. */
int64_t byte_source_size(const struct byte_source *source);

/* The open file, to look at; -1 if it is none that was opened by name. */
int byte_source_descriptor(const struct byte_source *source);

void byte_source_close(struct byte_source *source);
