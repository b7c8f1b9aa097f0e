/* Rows as NumPy's .npy (format version 1.0: magic, header padded to 64 bytes, C order, shape (rows, width))
 * in a seekable zstd file: the header is the first frame, then frames of whole rows. `zstd -d` gives a plain
 * .npy. Vectors are rows of fp16 (`<f2`), hashes rows of bytes (`|u1`). */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/file_writer.h"

/* Writes rows [rows, width] of fp16 bits. rows may be 0. The caller still owns `file` and must commit or
 * abandon it. */
bool npy_zst_write(struct file_writer *file, const uint16_t *values, int64_t rows, int32_t width, int level,
                   struct error *error);

/* The same for rows [rows, width] of bytes. */
bool npy_zst_write_bytes(struct file_writer *file, const unsigned char *values, int64_t rows, int32_t width,
                         int level, struct error *error);

/* A reader is for one thread at a time. */
struct npy_zst_reader;

/* A file of fp16, or of bytes; a file of anything else is ERROR_INPUT. */
struct npy_zst_reader *npy_zst_reader_open(const char *path, struct error *error);
struct npy_zst_reader *npy_zst_reader_open_bytes(const char *path, struct error *error);
int64_t npy_zst_reader_rows(const struct npy_zst_reader *reader);
int32_t npy_zst_reader_width(const struct npy_zst_reader *reader);

/* Compressed bytes that were read so far. */
int64_t npy_zst_reader_bytes_read(const struct npy_zst_reader *reader);

/* Fills values [count, width], of fp16 or bytes as the file is, with rows first … first + count - 1; reads
 * only the frames that hold these rows. */
bool npy_zst_reader_read(struct npy_zst_reader *reader, int64_t first, int64_t count, void *values,
                         struct error *error);

void npy_zst_reader_close(struct npy_zst_reader *reader);
