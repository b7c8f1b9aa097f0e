#include "io/byte_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "io/raw_input.h"

#define MAGIC_SIZE 4
#define OUTPUT_MAX ((size_t)1 << 30) /* zlib counts in 32 bits */
#define GZIP_WINDOW (16 + MAX_WBITS) /* 16: a gzip header (zlib's manual) */
#define ZSTD_WINDOW_LOG_MAX 31       /* written by `zstd --ultra --long=31` */
#define ZSTD_BLOCK_HEADER_SIZE ((size_t)3)

static const unsigned char gzip_magic[] = {0x1f, 0x8b};
static const unsigned char zstd_magic[MAGIC_SIZE] = {0x28, 0xb5, 0x2f, 0xfd};
static const unsigned char skippable_magic[MAGIC_SIZE] = {0x50, 0x2a, 0x4d, 0x18}; /* 0x50 … 0x5f */

enum byte_format { FORMAT_PLAIN, FORMAT_GZIP, FORMAT_ZSTD };

/* The place of the next input byte in the compressed stream. */
enum stream_place { PLACE_BETWEEN, PLACE_INSIDE, PLACE_PADDING };

struct byte_source {
  struct raw_input raw; /* raw.failure is also the result of every further read */
  enum byte_format format;
  enum stream_place place;
  z_stream gzip;
  ZSTD_DCtx *zstd;
  size_t zstd_hint;  /* input bytes that zstd asks for next */
  bool zstd_pending; /* zstd may hold output that found no room */
};

static bool source_damaged(struct byte_source *source, const char *what) {
  return error_set(&source->raw.failure, ERROR_INPUT, "the %s stream %s %s (byte %lld of the file)",
                   source->format == FORMAT_GZIP ? ".gz" : ".zst", source->raw.name, what,
                   (long long)raw_input_position(&source->raw));
}

/* `why` is the decompressor's own phrase. */
static bool source_corrupt(struct byte_source *source, const char *why) {
  char what[128];
  snprintf(what, sizeof what, "is corrupt: %s", why);
  return source_damaged(source, what);
}

static int64_t plain_read(struct byte_source *source, void *buffer, size_t capacity) {
  const size_t held = raw_input_held(&source->raw);
  if (held == 0) return source->raw.ended ? 0 : raw_input_read(&source->raw, buffer, capacity);
  const size_t count = held < capacity ? held : capacity;
  memcpy(buffer, source->raw.buffer + source->raw.used, count);
  source->raw.used += count;
  return (int64_t)count;
}

/* Between members: skips padding. *more: another member begins. */
static bool gzip_next_member(struct byte_source *source, bool *more) {
  for (;;) {
    if (!raw_input_fill(&source->raw)) return false;
    *more = !source->raw.ended;
    if (source->raw.ended) return true;
    if (source->raw.buffer[source->raw.used] != 0) break;
    /* A tape or disk fills its last block with zeros; gzip, too, accepts zeros after the last member. */
    source->place = PLACE_PADDING;
    source->raw.used++;
  }
  if (source->place == PLACE_PADDING || source->raw.buffer[source->raw.used] != 0x1f)
    return source_damaged(source, "has garbage after its last member");
  if (inflateReset(&source->gzip) != Z_OK) return source_damaged(source, "cannot be decompressed");
  source->place = PLACE_INSIDE;
  return true;
}

/* One call to inflate. If inflate gave bytes before it found damage, they count: they are the text before the
 * damage. */
static bool gzip_step(struct byte_source *source) {
  z_stream *gzip = &source->gzip;
  gzip->next_in = source->raw.buffer + source->raw.used;
  gzip->avail_in = (uInt)(raw_input_held(&source->raw));
  const int result = inflate(gzip, Z_NO_FLUSH);
  source->raw.used = source->raw.size - gzip->avail_in;
  switch (result) {
    case Z_STREAM_END:
      source->place = PLACE_BETWEEN;
      return true;
    case Z_OK:
    case Z_BUF_ERROR:
      if (gzip->avail_in > 0 || gzip->avail_out == 0 || !source->raw.ended) return true;
      return source_damaged(source, "ends inside a member: the file is truncated");
    case Z_MEM_ERROR:
      return error_set(&source->raw.failure, ERROR_MEMORY, "out of memory for decompressing %s",
                       source->raw.name);
    default:
      return source_corrupt(source, gzip->msg ? gzip->msg : "not a gzip member");
  }
}

static int64_t gzip_read(struct byte_source *source, void *buffer, size_t capacity) {
  const uInt room = (uInt)(capacity < OUTPUT_MAX ? capacity : OUTPUT_MAX);
  source->gzip.next_out = buffer;
  source->gzip.avail_out = room;
  bool fine = true;
  while (fine && source->gzip.avail_out == room) {
    if (source->place == PLACE_INSIDE) {
      fine = raw_input_fill(&source->raw) && gzip_step(source);
    } else {
      bool more;
      fine = gzip_next_member(source, &more);
      if (fine && !more) return 0;
    }
  }
  const int64_t count = room - source->gzip.avail_out;
  return count > 0 || fine ? count : -1;
}

/* First bytes of a zstd frame (0xFD2FB528) and of a skippable frame (0x184D2A50 … 0x184D2A5F),
 * little-endian. */
static bool zstd_may_start(unsigned char byte) {
  return byte == 0x28 || (byte & 0xf0) == 0x50;
}

/* How many of the available bytes zstd gets in one step.
 *
 * If ZSTD_decompressStream fails, it does not say how much output the same call gave before. No text before
 * the damage may be lost, so a step never goes past the end of one compressed block: zstd's hint is the rest
 * of the block and the next block's header. For the same reason, zstd gets no input while it may still hold
 * output. */
static size_t zstd_feed(const struct byte_source *source) {
  if (source->zstd_pending) return 0;
  const size_t held = raw_input_held(&source->raw);
  const size_t hint = source->zstd_hint;
  const size_t wanted = hint > ZSTD_BLOCK_HEADER_SIZE ? hint - ZSTD_BLOCK_HEADER_SIZE : hint > 0 ? hint : 1;
  return wanted < held ? wanted : held;
}

static bool zstd_step(struct byte_source *source, ZSTD_outBuffer *output) {
  const size_t feed = zstd_feed(source);
  ZSTD_inBuffer input = {source->raw.buffer, source->raw.used + feed, source->raw.used};
  const size_t result = ZSTD_decompressStream(source->zstd, output, &input);
  if (ZSTD_isError(result)) {
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    if (code == ZSTD_error_memory_allocation)
      return error_set(&source->raw.failure, ERROR_MEMORY, "out of memory for decompressing %s",
                       source->raw.name);
    if (code == ZSTD_error_prefix_unknown) return source_damaged(source, "has garbage after its last frame");
    return source_corrupt(source, ZSTD_getErrorName(result));
  }
  source->raw.used = input.pos;
  source->zstd_hint = result;
  source->place = result == 0 ? PLACE_BETWEEN : PLACE_INSIDE;
  source->zstd_pending = result != 0 && output->pos == output->size;
  return true;
}

/* Makes sure that there is input. *more: there is some. */
static bool zstd_next_input(struct byte_source *source, bool *more) {
  if (!raw_input_fill(&source->raw)) return false;
  *more = !source->raw.ended;
  if (source->raw.ended) {
    if (source->place == PLACE_BETWEEN) return true;
    return source_damaged(source, "ends inside a frame: the file is truncated");
  }
  /* zstd waits for four bytes before it can tell garbage from a frame; a stray line end has only one. */
  if (source->place == PLACE_BETWEEN && !zstd_may_start(source->raw.buffer[source->raw.used]))
    return source_damaged(source, "has garbage after its last frame");
  return true;
}

static int64_t zstd_read(struct byte_source *source, void *buffer, size_t capacity) {
  ZSTD_outBuffer output = {buffer, capacity, 0};
  while (output.pos == 0) {
    bool more = true;
    if (!source->zstd_pending && !zstd_next_input(source, &more)) return -1;
    if (!more) return 0;
    if (!zstd_step(source, &output)) return -1;
  }
  return (int64_t)output.pos;
}

int64_t byte_source_read(struct byte_source *source, void *buffer, size_t capacity, struct error *error) {
  int64_t count = -1;
  if (source->raw.failure.code == ERROR_NONE) {
    switch (source->format) {
      case FORMAT_PLAIN:
        count = plain_read(source, buffer, capacity);
        break;
      case FORMAT_GZIP:
        count = gzip_read(source, buffer, capacity);
        break;
      case FORMAT_ZSTD:
        count = zstd_read(source, buffer, capacity);
        break;
    }
  }
  if (count < 0) *error = source->raw.failure;
  return count;
}

/* The format by the file name's extension. */
static enum byte_format format_named(const char *name) {
  const char *dot = strrchr(name, '.');
  if (dot && strcasecmp(dot, ".gz") == 0) return FORMAT_GZIP;
  if (dot && strcasecmp(dot, ".zst") == 0) return FORMAT_ZSTD;
  return FORMAT_PLAIN;
}

/* A file cut inside its first four bytes is judged by the bytes that are left. If they are too few to show a
 * format, a regular file's name decides: a .gz or .zst with 0 bytes is a cut file, not an empty shard. */
static enum byte_format format_of(const struct byte_source *source) {
  const unsigned char *bytes = source->raw.buffer;
  const size_t size = source->raw.size;
  if (size < 2) return source->raw.regular ? format_named(source->raw.name) : FORMAT_PLAIN;
  if (memcmp(bytes, gzip_magic, sizeof gzip_magic) == 0) return FORMAT_GZIP;
  if (memcmp(bytes, zstd_magic, size < MAGIC_SIZE ? size : MAGIC_SIZE) == 0) return FORMAT_ZSTD;
  if (size >= MAGIC_SIZE && zstd_may_start(bytes[0]) && memcmp(bytes + 1, skippable_magic + 1, 3) == 0)
    return FORMAT_ZSTD;
  return FORMAT_PLAIN;
}

/* True if these bytes may still become the beginning of a compressed stream. */
static bool format_is_open(const unsigned char *bytes, size_t size) {
  if (size >= MAGIC_SIZE) return false;
  if (size == 0) return true;
  if (size == 1) return bytes[0] == gzip_magic[0] || zstd_may_start(bytes[0]);
  return bytes[1] == zstd_magic[1] || bytes[1] == skippable_magic[1];
}

/* Reads the first bytes (a pipe may give a few at a time) and prepares for the format that they show. Waits
 * for no more bytes than needed: a person's first line may be shorter. */
static bool source_detect(struct byte_source *source) {
  struct raw_input *raw = &source->raw;
  while (format_is_open(raw->buffer, raw->size) && !raw->ended)
    if (!raw_input_more(raw)) return false;
  source->format = format_of(source);
  if (source->format == FORMAT_GZIP) {
    if (inflateInit2(&source->gzip, GZIP_WINDOW) != Z_OK)
      return error_set(&source->raw.failure, ERROR_MEMORY, "out of memory for decompressing %s",
                       source->raw.name);
    source->place = PLACE_INSIDE;
  } else if (source->format == FORMAT_ZSTD) {
    source->zstd = ZSTD_createDCtx();
    if (!source->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(source->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
      return error_set(&source->raw.failure, ERROR_MEMORY, "out of memory for decompressing %s",
                       source->raw.name);
    source->place = PLACE_INSIDE;
  }
  return true;
}

static struct byte_source *source_open(const char *path, const atomic_int *stop, const struct byte_head *head,
                                       struct byte_head *keep, struct error *error) {
  struct byte_source *source = calloc(1, sizeof *source);
  if (!source) {
    error_set_memory(error, sizeof *source, "reading a shard");
    return NULL;
  }
  source->raw = (struct raw_input){.stop = stop, .head = head, .keep = keep};
  if (raw_input_open(&source->raw, path) && source_detect(source)) return source;
  *error = source->raw.failure;
  byte_source_close(source);
  return NULL;
}

struct byte_source *byte_source_open(const char *path, struct error *error) {
  return source_open(path, NULL, NULL, NULL, error);
}

struct byte_source *byte_source_open_until(const char *path, const atomic_int *stop,
                                           const struct byte_head *head, struct error *error) {
  return source_open(path, stop, head, NULL, error);
}

struct byte_source *byte_source_open_keeping(const char *path, const atomic_int *stop, struct byte_head *keep,
                                             struct error *error) {
  return source_open(path, stop, NULL, keep, error);
}

bool byte_source_can_seek(const struct byte_source *source) {
  return source->format == FORMAT_PLAIN && source->raw.regular && source->raw.owned;
}

bool byte_source_seek(struct byte_source *source, int64_t offset, struct error *error) {
  if (!byte_source_can_seek(source))
    return error_set(error, ERROR_UNSUPPORTED, "cannot go to byte %lld of %s: it is not a plain file",
                     (long long)offset, source->raw.name);
  return raw_input_seek(&source->raw, offset, error);
}

int64_t byte_source_consumed(const struct byte_source *source) {
  return source->raw.consumed;
}

int64_t byte_source_position(const struct byte_source *source) {
  return raw_input_position(&source->raw);
}

int64_t byte_source_size(const struct byte_source *source) {
  return raw_input_file_size(&source->raw);
}

int byte_source_descriptor(const struct byte_source *source) {
  return source->raw.regular && source->raw.owned ? source->raw.descriptor : -1;
}

void byte_source_close(struct byte_source *source) {
  if (!source) return;
  if (source->format == FORMAT_GZIP) inflateEnd(&source->gzip);
  ZSTD_freeDCtx(source->zstd);
  raw_input_close(&source->raw);
  free(source);
}
