/* The zstd seekable format (version 0.1.0 of its specification, in zstd's contrib/seekable_format):
 * independent zstd frames, then one skippable frame (magic 0x184D2A5E) with a table of their sizes, without
 * checksums in the table (each frame has its own). `zstd -d` reads it as an ordinary file; a reader goes
 * straight to any frame. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/file_writer.h"

#define SEEKABLE_FRAME_MAX 0x7fffffff /* most bytes of a frame */
#define ZST_LEVEL_MAX 22              /* ZSTD_maxCLevel() of zstd 1.x */

struct seekable_zst_writer;

/* Writes compressed frames to `file`; the caller still owns `file` and must commit or abandon it. */
struct seekable_zst_writer *seekable_zst_writer_open(struct file_writer *file, int level,
                                                     struct error *error);

/* Appends one frame with exactly these bytes (at most SEEKABLE_FRAME_MAX; for 0 bytes, no frame). */
bool seekable_zst_writer_frame(struct seekable_zst_writer *writer, const void *bytes, size_t size,
                               struct error *error);

/* Appends the seek table. */
bool seekable_zst_writer_finish(struct seekable_zst_writer *writer, struct error *error);

void seekable_zst_writer_close(struct seekable_zst_writer *writer);

/* A reader is for one thread at a time. */
struct seekable_zst_reader;

/* Opens a file and reads its seek table; every number in the table is checked against the file's size. A zstd
 * file without a seek table is ERROR_INPUT. */
struct seekable_zst_reader *seekable_zst_reader_open(const char *path, struct error *error);

/* Size of the whole decompressed content. */
int64_t seekable_zst_reader_size(const struct seekable_zst_reader *reader);

/* Decompressed size of the largest frame: the memory that a reader may need. */
int64_t seekable_zst_reader_largest(const struct seekable_zst_reader *reader);

/* Number of bytes from `offset` of the content to the end of the frame that holds it; 0 at the content's end.
 */
int64_t seekable_zst_reader_rest(const struct seekable_zst_reader *reader, int64_t offset);

/* Bytes of frames that were read from the file so far. */
int64_t seekable_zst_reader_bytes_read(const struct seekable_zst_reader *reader);

/* Reads bytes [offset, offset + size) of the content and decompresses only the frames that hold them. A frame
 * read in part is kept for the next call; a frame read whole goes straight to `bytes`. Bytes past the end are
 * ERROR_USAGE. */
bool seekable_zst_reader_read(struct seekable_zst_reader *reader, int64_t offset, void *bytes, size_t size,
                              struct error *error);

void seekable_zst_reader_close(struct seekable_zst_reader *reader);
