/* Shared by the tests that read input: shards in each format, whole and damaged. */
#pragma once

#include <zlib.h>
#include <zstd.h>

#include "tests/unit/io/scratch.h"

struct bytes {
  unsigned char *data;
  size_t size, capacity;
};

static inline void bytes_add(struct bytes *bytes, const void *data, size_t size) {
  if (bytes->size + size >= bytes->capacity) {
    bytes->capacity = 2 * (bytes->size + size) + 64;
    bytes->data = realloc(bytes->data, bytes->capacity);
    assert_non_null(bytes->data);
  }
  if (size > 0) memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
}

static inline void bytes_add_text(struct bytes *bytes, const char *text) {
  bytes_add(bytes, text, strlen(text));
}

static inline void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  *bytes = (struct bytes){0};
}

/* Adds a gzip member. */
static inline void bytes_add_gzip(struct bytes *bytes, const void *data, size_t size) {
  z_stream stream = {0};
  assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  const uLong bound = deflateBound(&stream, size);
  unsigned char *packed = malloc(bound);
  assert_non_null(packed);
  stream.next_in = (unsigned char *)data;
  stream.avail_in = (uInt)size;
  stream.next_out = packed;
  stream.avail_out = (uInt)bound;
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes_add(bytes, packed, bound - stream.avail_out);
  deflateEnd(&stream);
  free(packed);
}

/* Adds a zstd frame with a checksum. */
static inline void bytes_add_zstd(struct bytes *bytes, const void *data, size_t size) {
  const size_t bound = ZSTD_compressBound(size);
  unsigned char *packed = malloc(bound);
  ZSTD_CCtx *context = ZSTD_createCCtx();
  assert_non_null(packed);
  assert_non_null(context);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  const size_t count = ZSTD_compress2(context, packed, bound, data, size);
  assert_false(ZSTD_isError(count));
  bytes_add(bytes, packed, count);
  ZSTD_freeCCtx(context);
  free(packed);
}

/* Adds a skippable zstd frame that holds `size` bytes. */
static inline void bytes_add_skippable(struct bytes *bytes, uint8_t size) {
  const unsigned char header[8] = {0x5e, 0x2a, 0x4d, 0x18, size};
  bytes_add(bytes, header, sizeof header);
  for (int i = 0; i < size; i++) bytes_add(bytes, "x", 1);
}

/* Begins a zstd frame by hand: no sizes, no checksum, a 1 MiB window. Blocks follow. */
static inline void bytes_add_frame_header(struct bytes *bytes) {
  bytes_add(bytes, "\x28\xb5\x2f\xfd\x00\x50", 6);
}

/* Adds an uncompressed block (kind 0), or a header whose kind does not exist (3), at which a decoder must
 * stop. */
static inline void bytes_add_raw_block(struct bytes *bytes, const char *text, bool last, unsigned kind) {
  const size_t size = strlen(text);
  const unsigned header = (unsigned)last | kind << 1 | (unsigned)size << 3;
  const unsigned char little_endian[3] = {header & 0xff, header >> 8 & 0xff, header >> 16 & 0xff};
  bytes_add(bytes, little_endian, sizeof little_endian);
  bytes_add(bytes, text, size);
}

/* Writes a file into the test's folder; the caller frees the path. */
static inline char *shard_put(void **state, const char *name, const struct bytes *content) {
  char path[512];
  scratch_write(*state, name, content->data ? content->data : (const unsigned char *)"", content->size);
  return strdup(scratch_path(path, *state, name));
}

/* Starts this program again in this process as `program path`; returns only if the start fails. If the
 * program runs under a processor emulator (scripts/test-arm64), starts the emulator. */
static inline void program_start(const char *path) {
  const char *emulator = getenv("NINA_EMULATOR");
  char program[512] = "";
  if (!emulator) {
    execl("/proc/self/exe", "test", path, (char *)NULL);
  } else if (readlink("/proc/self/exe", program, sizeof program - 1) > 0) {
    execlp(emulator, emulator, program, path, (char *)NULL);
  }
}

/* Runs this program again as `program path` with NINA_FAULT set, because a process reads NINA_FAULT once.
 * Returns the exit status. */
static inline int run_with_fault(const char *fault, const char *path) {
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    setenv("NINA_FAULT", fault, 1);
    program_start(path);
    _exit(127);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
