#include "io/npy_zst.h"

#include <stdlib.h>
#include <string.h>

#include "io/npy_header.h"
#include "io/seekable_zst.h"

/* A type of numbers. */
struct npy_type {
  const char *descr; /* as the header spells it */
  int32_t bytes;     /* of a number */
  const char *name;  /* for people */
};
static const struct npy_type half_type = {"<f2", 2, "fp16 as this program writes them (.npy 1.0, <f2"};
static const struct npy_type byte_type = {"|u1", 1, "bytes as this program writes them (.npy 1.0, |u1"};

/* Bytes of content per frame, before rounding down to whole rows. Reading one random row of 2 KiB costs one
 * such read. Smaller frames compress no better and make the table longer. 128 KiB is also zstd's largest
 * block. */
#define FRAME_BYTES (128 * 1024)

/* The largest frame that is read: a row of 8 million numbers. A forged file cannot ask for more memory. */
#define FRAME_BYTES_MOST (16 * 1024 * 1024)

static bool rows_write(struct file_writer *file, const struct npy_type *type, const void *values,
                       int64_t rows, int32_t width, int level, struct error *error) {
  bool ok = false;
  char header[NPY_HEADER_MAX];
  const size_t header_size = npy_header_format(header, type->descr, rows, width);
  const size_t row_bytes = (size_t)width * (size_t)type->bytes;
  const int64_t frame_rows = row_bytes < FRAME_BYTES ? (int64_t)(FRAME_BYTES / row_bytes) : 1;
  struct seekable_zst_writer *writer = seekable_zst_writer_open(file, level, error);
  if (!writer) return false;
  if (!seekable_zst_writer_frame(writer, header, header_size, error)) goto out;
  for (int64_t row = 0; row < rows; row += frame_rows) {
    const int64_t count = rows - row < frame_rows ? rows - row : frame_rows;
    const char *frame = (const char *)values + (size_t)row * row_bytes;
    if (!seekable_zst_writer_frame(writer, frame, (size_t)count * row_bytes, error)) goto out;
  }
  ok = seekable_zst_writer_finish(writer, error);
out:
  seekable_zst_writer_close(writer);
  return ok;
}

bool npy_zst_write(struct file_writer *file, const uint16_t *values, int64_t rows, int32_t width, int level,
                   struct error *error) {
  return rows_write(file, &half_type, values, rows, width, level, error);
}

bool npy_zst_write_bytes(struct file_writer *file, const unsigned char *values, int64_t rows, int32_t width,
                         int level, struct error *error) {
  return rows_write(file, &byte_type, values, rows, width, level, error);
}

struct npy_zst_reader {
  const struct npy_type *type;
  struct seekable_zst_reader *content;
  char *path;
  int64_t data; /* place of the first row */
  int64_t rows;
  int32_t width;
};

static bool header_read(struct npy_zst_reader *reader, struct error *error) {
  bool ok = false;
  char prefix[NPY_HEADER_PREFIX];
  char *text = NULL;
  const int64_t size = seekable_zst_reader_size(reader->content);
  if (size < NPY_HEADER_PREFIX || seekable_zst_reader_largest(reader->content) > FRAME_BYTES_MOST)
    goto format;
  if (!seekable_zst_reader_read(reader->content, 0, prefix, sizeof prefix, error)) return false;
  size_t length;
  if (!npy_header_prefix(prefix, &length)) goto format;
  reader->data = NPY_HEADER_PREFIX + (int64_t)length;
  if (reader->data > size) goto format;
  text = calloc(1, length + 1);
  if (!text) return error_set_memory(error, length + 1, "the header of a vector file");
  if (!seekable_zst_reader_read(reader->content, NPY_HEADER_PREFIX, text, length, error)) goto out;
  if (!npy_header_parse(text, reader->type->descr, &reader->rows, &reader->width)) goto format;
  int64_t bytes;
  if (__builtin_mul_overflow(reader->rows, (int64_t)reader->width * reader->type->bytes, &bytes) ||
      bytes != size - reader->data) {
    error_set(error, ERROR_INPUT, "%s: its header says %lld rows of %d numbers, but %lld bytes follow it",
              reader->path, (long long)reader->rows, reader->width, (long long)(size - reader->data));
    goto out;
  }
  ok = true;
out:
  free(text);
  return ok;
format:
  free(text);
  return error_set(error, ERROR_INPUT, "%s does not hold rows of %s, C order, two dimensions)", reader->path,
                   reader->type->name);
}

static struct npy_zst_reader *rows_open(const char *path, const struct npy_type *type, struct error *error) {
  struct npy_zst_reader *reader = calloc(1, sizeof *reader);
  if (!reader || !(reader->path = strdup(path))) {
    error_set_memory(error, sizeof *reader, "a reader of vectors");
    goto fail;
  }
  reader->type = type;
  reader->content = seekable_zst_reader_open(path, error);
  if (reader->content && header_read(reader, error)) return reader;
fail:
  npy_zst_reader_close(reader);
  return NULL;
}

struct npy_zst_reader *npy_zst_reader_open(const char *path, struct error *error) {
  return rows_open(path, &half_type, error);
}

struct npy_zst_reader *npy_zst_reader_open_bytes(const char *path, struct error *error) {
  return rows_open(path, &byte_type, error);
}

int64_t npy_zst_reader_rows(const struct npy_zst_reader *reader) {
  return reader->rows;
}

int32_t npy_zst_reader_width(const struct npy_zst_reader *reader) {
  return reader->width;
}

int64_t npy_zst_reader_bytes_read(const struct npy_zst_reader *reader) {
  return seekable_zst_reader_bytes_read(reader->content);
}

bool npy_zst_reader_read(struct npy_zst_reader *reader, int64_t first, int64_t count, void *values,
                         struct error *error) {
  if (first < 0 || count < 0 || first > reader->rows || count > reader->rows - first)
    return error_set(error, ERROR_USAGE, "%s holds %lld rows: it has no %lld rows from row %lld",
                     reader->path, (long long)reader->rows, (long long)count, (long long)first);
  const int64_t row_bytes = (int64_t)reader->width * reader->type->bytes;
  return seekable_zst_reader_read(reader->content, reader->data + first * row_bytes, values,
                                  (size_t)(count * row_bytes), error);
}

void npy_zst_reader_close(struct npy_zst_reader *reader) {
  if (!reader) return;
  seekable_zst_reader_close(reader->content);
  free(reader->path);
  free(reader);
}
