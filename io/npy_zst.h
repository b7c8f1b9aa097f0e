/* Vectors as NumPy's .npy (format version 1.0: magic, header padded to 64 bytes, `<f2`, C order, shape (rows,
 * width)) in a seekable zstd file: the header is the first frame, then frames of whole rows. `zstd -d` gives
 * a plain .npy. */
#pragma once

#include <stdint.h>

#include "io/error.h"
#include "io/file.h"

/* Writes rows [rows, width] of fp16 bits. rows may be 0. The caller still owns `file` and must commit or
 * abandon it. */
bool npy_zst_write(struct file_writer *file, const uint16_t *values, int64_t rows, int32_t width, int level,
                   struct error *error);

/* A reader is for one thread at a time. */
struct npy_zst_reader;

struct npy_zst_reader *npy_zst_reader_open(const char *path, struct error *error);
int64_t npy_zst_reader_rows(const struct npy_zst_reader *reader);
int32_t npy_zst_reader_width(const struct npy_zst_reader *reader);

/* Fills values [count, width] with rows first … first + count - 1; reads only the frames that hold these
 * rows. */
bool npy_zst_reader_read(struct npy_zst_reader *reader, int64_t first, int64_t count, uint16_t *values,
                         struct error *error);

void npy_zst_reader_close(struct npy_zst_reader *reader);
