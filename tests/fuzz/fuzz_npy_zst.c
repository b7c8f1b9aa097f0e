/* Fuzzes the readers of seekable zstd files and of the vectors in them. A file's rows must be the same
 * however they are read, and the same as `zstd -d` gives.
 *
 * The input's first byte: bit 0, the rest is rows to be written and read back; bit 1, they are bytes and not
 * fp16. Otherwise the rest is a file. */
#include <zstd.h>

#include "io/npy_zst.h"
#include "io/seekable_zst.h"
#include "tests/fuzz/harness.h"

#define CONTENT_MAX (1 << 20)

/* The file's content, as `zstd -d` gives it; *size is -1 if zstd finds it damaged or large. */
static char *decompress(const uint8_t *data, size_t size, int64_t *content) {
  char *bytes = malloc(CONTENT_MAX);
  ZSTD_DCtx *context = ZSTD_createDCtx();
  REQUIRE(bytes && context);
  ZSTD_inBuffer input = {data, size, 0};
  ZSTD_outBuffer output = {bytes, CONTENT_MAX, 0};
  size_t left = 0;
  while (input.pos < input.size && output.pos < output.size && !ZSTD_isError(left))
    left = ZSTD_decompressStream(context, &output, &input);
  *content = left == 0 && input.pos == input.size && output.pos < output.size ? (int64_t)output.pos : -1;
  ZSTD_freeDCtx(context);
  return bytes;
}

/* Reads the content whole and in pieces. */
static void check_content(const char *path, const uint8_t *data, size_t size) {
  struct error error = {0};
  struct seekable_zst_reader *reader = seekable_zst_reader_open(path, &error);
  if (!reader) {
    require_sentence(&error);
    return;
  }
  const int64_t length = seekable_zst_reader_size(reader);
  REQUIRE(length >= 0 && seekable_zst_reader_largest(reader) <= length);
  if (length < CONTENT_MAX) {
    char *whole = malloc((size_t)length + 1), *piece = malloc((size_t)length + 1);
    REQUIRE(whole && piece);
    int64_t expected;
    char *plain = decompress(data, size, &expected);
    const bool read = seekable_zst_reader_read(reader, 0, whole, (size_t)length, &error);
    if (read) REQUIRE(expected < 0 || (expected == length && memcmp(plain, whole, (size_t)length) == 0));
    if (!read) require_sentence(&error);
    if (expected >= 0 && expected == length && !read) REQUIRE(error.code == ERROR_INPUT);
    const int64_t step = length / 7 + 1;
    bool pieces = true;
    for (int64_t at = length / step * step; at >= 0 && pieces; at -= step) { /* backwards */
      const int64_t count = length - at < step ? length - at : step;
      pieces = seekable_zst_reader_read(reader, at, piece + at, (size_t)count, &error);
    }
    REQUIRE(pieces == read && (!read || memcmp(piece, whole, (size_t)length) == 0));
    REQUIRE(!seekable_zst_reader_read(reader, length, piece, 1, &error));
    free(plain);
    free(piece);
    free(whole);
  }
  seekable_zst_reader_close(reader);
}

/* Reads all rows at once, and one by one. Returns the values, or NULL. */
static char *check_rows(const char *path, bool bytes, size_t *size) {
  struct error error = {0};
  struct npy_zst_reader *reader =
      bytes ? npy_zst_reader_open_bytes(path, &error) : npy_zst_reader_open(path, &error);
  if (!reader) {
    require_sentence(&error);
    return NULL;
  }
  const int64_t rows = npy_zst_reader_rows(reader), width = npy_zst_reader_width(reader);
  REQUIRE(rows >= 0 && width >= 0);
  const int64_t row = width * (bytes ? 1 : 2);
  char *values = NULL;
  if (row < CONTENT_MAX && rows * row < CONTENT_MAX) {
    *size = (size_t)(rows * row);
    values = malloc(*size + 1);
    char *again = malloc(*size + 1);
    REQUIRE(values && again);
    bool read = npy_zst_reader_read(reader, 0, rows, values, &error), singly = true;
    if (!read) require_sentence(&error);
    const int64_t step = rows / 16 + 1;
    for (int64_t at = 0; at < rows && singly; at += step) {
      const int64_t count = rows - at < step ? rows - at : step;
      singly = npy_zst_reader_read(reader, at, count, again + at * row, &error);
    }
    REQUIRE(singly == read && (!read || memcmp(values, again, *size) == 0));
    free(again);
    if (!read) {
      free(values);
      values = NULL;
    }
  }
  npy_zst_reader_close(reader);
  return values;
}

/* What is written is read. */
static void check_writing(const uint8_t *data, size_t size, bool bytes) {
  if (size < 1) return;
  struct error error;
  struct file_writer file;
  const int32_t width = 1 + data[0] % 32;
  const size_t row = (size_t)width * (bytes ? 1 : 2), rows = (size - 1) / row;
  uint16_t *values = malloc(rows * row + 2);
  REQUIRE(values);
  memcpy(values, data + 1, rows * row);
  scratch_remove("rows.npy.zst");
  char path[256];
  snprintf(path, sizeof path, "%s/rows.npy.zst", scratch_folder());
  REQUIRE(file_writer_open(&file, path, &error));
  REQUIRE(bytes ? npy_zst_write_bytes(&file, (unsigned char *)values, (int64_t)rows, width, 1, &error)
                : npy_zst_write(&file, values, (int64_t)rows, width, 1, &error));
  REQUIRE(file_writer_commit(&file, NULL, &error));
  size_t read;
  char *found = check_rows(path, bytes, &read);
  REQUIRE(found && read == rows * row && memcmp(found, values, read) == 0);
  free(found);
  free(check_rows(path, !bytes, &read)); /* refused, or empty */
  free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  const uint8_t way = data[0];
  data++;
  size--;
  if (way & 1) {
    check_writing(data, size, way & 2);
    return 0;
  }
  size_t read;
  char path[256];
  snprintf(path, sizeof path, "%s", scratch_file("rows.npy.zst", data, size));
  check_content(path, data, size);
  free(check_rows(path, way & 2, &read));
  return 0;
}
