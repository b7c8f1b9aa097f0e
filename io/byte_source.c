#include "io/byte_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "io/fault.h"
#include "io/file.h"

#define INPUT_CAPACITY ((size_t)256 * 1024) /* one read of a compressed file */
#define STOP_INTERVAL_MS 100                /* how often a wait for a pipe checks *stop */
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
  char *name; /* for messages */
  int descriptor;
  bool owned; /* the source must close the descriptor */
  bool regular;
  const atomic_int *stop;       /* ends a wait for a pipe; may be NULL */
  const struct byte_head *head; /* comes before the pipe's own bytes; may be NULL */
  size_t head_used;
  bool keeps; /* every byte taken is also copied to `kept` */
  struct byte_head kept;
  size_t kept_capacity;
  enum byte_format format;
  enum stream_place place;

  unsigned char *input; /* [INPUT_CAPACITY]; bytes input_used … input_size are not yet taken */
  size_t input_used, input_size;
  bool input_ended;
  int64_t consumed;

  z_stream gzip;
  ZSTD_DCtx *zstd;
  size_t zstd_hint;  /* input bytes that zstd asks for next */
  bool zstd_pending; /* zstd may hold output that found no room */

  struct error failure; /* result of every further read */
};

/* Waits until a pipe has bytes; false if *stop was set before. */
static bool source_wait(const struct byte_source *source) {
  struct pollfd pipe = {.fd = source->descriptor, .events = POLLIN};
  if (!source->stop || source->regular) return true;
  while (poll(&pipe, 1, STOP_INTERVAL_MS) == 0)
    if (atomic_load(source->stop)) return false;
  return true;
}

static bool source_keep(struct byte_source *source, const void *bytes, size_t size) {
  struct byte_head *kept = &source->kept;
  if (kept->size + size > source->kept_capacity) {
    const size_t capacity = 2 * (kept->size + size);
    unsigned char *larger = realloc(kept->bytes, capacity);
    if (!larger) return error_set_memory(&source->failure, capacity, "the start of a stream");
    kept->bytes = larger;
    source->kept_capacity = capacity;
  }
  memcpy(kept->bytes + kept->size, bytes, size);
  kept->size += size;
  return true;
}

/* Gives bytes from the rest of the head. */
static size_t source_read_head(struct byte_source *source, void *buffer, size_t capacity) {
  const size_t left = source->head ? source->head->size - source->head_used : 0;
  const size_t count = left < capacity ? left : capacity;
  if (count > 0) memcpy(buffer, source->head->bytes + source->head_used, count);
  source->head_used += count;
  source->consumed += (int64_t)count;
  return count;
}

/* The system call, with its faults and interruptions: on -1, `failure` is set. */
static ssize_t source_read(struct byte_source *source, void *buffer, size_t capacity) {
  ssize_t count = (ssize_t)source_read_head(source, buffer, capacity);
  if (count > 0) return count;
  if (!source_wait(source)) {
    error_set(&source->failure, ERROR_IO, "stopped while waiting for %s", source->name);
    return -1;
  }
  do {
    errno = fault_point(FAULT_READ);
    count = errno ? -1 : read(source->descriptor, buffer, capacity);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    error_set_errno(&source->failure, "cannot read %s at byte %lld", source->name,
                    (long long)source->consumed);
    return -1;
  }
  source->consumed += count;
  return source->keeps && !source_keep(source, buffer, (size_t)count) ? -1 : count;
}

/* Makes sure that the input buffer holds a byte, unless the file has ended. */
static bool source_fill(struct byte_source *source) {
  if (source->input_used < source->input_size || source->input_ended) return true;
  const ssize_t count = source_read(source, source->input, INPUT_CAPACITY);
  if (count < 0) return false;
  source->input_used = 0;
  source->input_size = (size_t)count;
  source->input_ended = count == 0;
  return true;
}

/* The byte of the file that a decompressor would take next. */
static int64_t source_position(const struct byte_source *source) {
  return source->consumed - (int64_t)(source->input_size - source->input_used);
}

static bool source_damaged(struct byte_source *source, const char *what) {
  return error_set(&source->failure, ERROR_INPUT, "the %s stream %s %s (byte %lld of the file)",
                   source->format == FORMAT_GZIP ? ".gz" : ".zst", source->name, what,
                   (long long)source_position(source));
}

/* `why` is the decompressor's own phrase. */
static bool source_corrupt(struct byte_source *source, const char *why) {
  char what[128];
  snprintf(what, sizeof what, "is corrupt: %s", why);
  return source_damaged(source, what);
}

static int64_t plain_read(struct byte_source *source, void *buffer, size_t capacity) {
  const size_t held = source->input_size - source->input_used;
  if (held == 0) return source->input_ended ? 0 : source_read(source, buffer, capacity);
  const size_t count = held < capacity ? held : capacity;
  memcpy(buffer, source->input + source->input_used, count);
  source->input_used += count;
  return (int64_t)count;
}

/* Between members: skips padding. *more: another member begins. */
static bool gzip_next_member(struct byte_source *source, bool *more) {
  for (;;) {
    if (!source_fill(source)) return false;
    *more = !source->input_ended;
    if (source->input_ended) return true;
    if (source->input[source->input_used] != 0) break;
    /* A tape or disk fills its last block with zeros; gzip, too, accepts zeros after the last member. */
    source->place = PLACE_PADDING;
    source->input_used++;
  }
  if (source->place == PLACE_PADDING || source->input[source->input_used] != 0x1f)
    return source_damaged(source, "has garbage after its last member");
  if (inflateReset(&source->gzip) != Z_OK) return source_damaged(source, "cannot be decompressed");
  source->place = PLACE_INSIDE;
  return true;
}

/* One call to inflate. If inflate gave bytes before it found damage, they count: they are the text before the
 * damage. */
static bool gzip_step(struct byte_source *source) {
  z_stream *gzip = &source->gzip;
  gzip->next_in = source->input + source->input_used;
  gzip->avail_in = (uInt)(source->input_size - source->input_used);
  const int result = inflate(gzip, Z_NO_FLUSH);
  source->input_used = source->input_size - gzip->avail_in;
  switch (result) {
    case Z_STREAM_END:
      source->place = PLACE_BETWEEN;
      return true;
    case Z_OK:
    case Z_BUF_ERROR:
      if (gzip->avail_in > 0 || gzip->avail_out == 0 || !source->input_ended) return true;
      return source_damaged(source, "ends inside a member: the file is truncated");
    case Z_MEM_ERROR:
      return error_set(&source->failure, ERROR_MEMORY, "out of memory for decompressing %s", source->name);
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
      fine = source_fill(source) && gzip_step(source);
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
  const size_t held = source->input_size - source->input_used;
  const size_t hint = source->zstd_hint;
  const size_t wanted = hint > ZSTD_BLOCK_HEADER_SIZE ? hint - ZSTD_BLOCK_HEADER_SIZE : hint > 0 ? hint : 1;
  return wanted < held ? wanted : held;
}

static bool zstd_step(struct byte_source *source, ZSTD_outBuffer *output) {
  const size_t feed = zstd_feed(source);
  ZSTD_inBuffer input = {source->input, source->input_used + feed, source->input_used};
  const size_t result = ZSTD_decompressStream(source->zstd, output, &input);
  if (ZSTD_isError(result)) {
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    if (code == ZSTD_error_memory_allocation)
      return error_set(&source->failure, ERROR_MEMORY, "out of memory for decompressing %s", source->name);
    if (code == ZSTD_error_prefix_unknown) return source_damaged(source, "has garbage after its last frame");
    return source_corrupt(source, ZSTD_getErrorName(result));
  }
  source->input_used = input.pos;
  source->zstd_hint = result;
  source->place = result == 0 ? PLACE_BETWEEN : PLACE_INSIDE;
  source->zstd_pending = result != 0 && output->pos == output->size;
  return true;
}

/* Makes sure that there is input. *more: there is some. */
static bool zstd_next_input(struct byte_source *source, bool *more) {
  if (!source_fill(source)) return false;
  *more = !source->input_ended;
  if (source->input_ended) {
    if (source->place == PLACE_BETWEEN) return true;
    return source_damaged(source, "ends inside a frame: the file is truncated");
  }
  /* zstd waits for four bytes before it can tell garbage from a frame; a stray line end has only one. */
  if (source->place == PLACE_BETWEEN && !zstd_may_start(source->input[source->input_used]))
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
  if (source->failure.code == ERROR_NONE) {
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
  if (count < 0) *error = source->failure;
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
  const unsigned char *bytes = source->input;
  const size_t size = source->input_size;
  if (size < 2) return source->regular ? format_named(source->name) : FORMAT_PLAIN;
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
  while (format_is_open(source->input, source->input_size) && !source->input_ended) {
    const ssize_t count =
        source_read(source, source->input + source->input_size, INPUT_CAPACITY - source->input_size);
    if (count < 0) return false;
    source->input_size += (size_t)count;
    source->input_ended = count == 0;
  }
  source->format = format_of(source);
  if (source->format == FORMAT_GZIP) {
    if (inflateInit2(&source->gzip, GZIP_WINDOW) != Z_OK)
      return error_set(&source->failure, ERROR_MEMORY, "out of memory for decompressing %s", source->name);
    source->place = PLACE_INSIDE;
  } else if (source->format == FORMAT_ZSTD) {
    source->zstd = ZSTD_createDCtx();
    if (!source->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(source->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
      return error_set(&source->failure, ERROR_MEMORY, "out of memory for decompressing %s", source->name);
    source->place = PLACE_INSIDE;
  }
  return true;
}

static bool source_open_file(struct byte_source *source, const char *path) {
  const bool standard_input = strcmp(path, "-") == 0;
  source->name = strdup(standard_input ? "standard input" : path);
  source->input = malloc(INPUT_CAPACITY);
  if (!source->name || !source->input)
    return error_set_memory(&source->failure, INPUT_CAPACITY, "reading a shard");
  source->owned = !standard_input;
  if (source->owned) {
    int64_t size;
    if (!file_open_regular(path, &source->descriptor, &size, &source->failure)) return false;
    source->regular = true;
  } else {
    struct stat status;
    source->descriptor = STDIN_FILENO;
    if (fstat(source->descriptor, &status) != 0)
      return error_set_errno(&source->failure, "cannot examine %s", source->name);
    if (S_ISDIR(status.st_mode))
      return error_set(&source->failure, ERROR_USAGE, "%s is a folder: expected lines of text", source->name);
    source->regular = S_ISREG(status.st_mode);
  }
  /* Only advice: a pipe refuses, without harm. */
  posix_fadvise(source->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  return true;
}

static struct byte_source *source_open(const char *path, const atomic_int *stop, const struct byte_head *head,
                                       bool keeps, struct error *error) {
  struct byte_source *source = calloc(1, sizeof *source);
  if (!source) {
    error_set_memory(error, sizeof *source, "reading a shard");
    return NULL;
  }
  source->descriptor = -1;
  source->stop = stop;
  source->head = head;
  source->keeps = keeps;
  if (source_open_file(source, path) && source_detect(source)) return source;
  *error = source->failure;
  byte_source_close(source);
  return NULL;
}

struct byte_source *byte_source_open(const char *path, struct error *error) {
  return source_open(path, NULL, NULL, false, error);
}

struct byte_source *byte_source_open_until(const char *path, const atomic_int *stop,
                                           const struct byte_head *head, struct error *error) {
  return source_open(path, stop, head, false, error);
}

struct byte_source *byte_source_open_keeping(const char *path, const atomic_int *stop, struct error *error) {
  return source_open(path, stop, NULL, true, error);
}

void byte_source_take_head(struct byte_source *source, struct byte_head *head) {
  *head = source->kept;
  source->kept = (struct byte_head){0};
  source->kept_capacity = 0;
}

void byte_head_free(struct byte_head *head) {
  free(head->bytes);
  *head = (struct byte_head){0};
}

bool byte_source_can_seek(const struct byte_source *source) {
  return source->format == FORMAT_PLAIN && source->regular && source->owned;
}

bool byte_source_seek(struct byte_source *source, int64_t offset, struct error *error) {
  if (!byte_source_can_seek(source))
    return error_set(error, ERROR_UNSUPPORTED, "cannot go to byte %lld of %s: it is not a plain file",
                     (long long)offset, source->name);
  struct stat status;
  if (fstat(source->descriptor, &status) != 0)
    return error_set_errno(error, "cannot examine %s", source->name);
  if (offset < 0 || offset > status.st_size)
    return error_set(error, ERROR_INPUT,
                     "cannot go to byte %lld of %s: the file has %lld bytes; was it changed?",
                     (long long)offset, source->name, (long long)status.st_size);
  if (lseek(source->descriptor, offset, SEEK_SET) < 0)
    return error_set_errno(error, "cannot go to byte %lld of %s", (long long)offset, source->name);
  source->input_used = source->input_size = 0;
  source->input_ended = false;
  source->consumed = offset;
  source->failure.code = ERROR_NONE;
  return true;
}

int64_t byte_source_consumed(const struct byte_source *source) {
  return source->consumed;
}

int64_t byte_source_position(const struct byte_source *source) {
  return source_position(source);
}

int64_t byte_source_size(const struct byte_source *source) {
  struct stat status;
  if (!source->regular || fstat(source->descriptor, &status) != 0) return -1;
  return status.st_size;
}

void byte_source_close(struct byte_source *source) {
  if (!source) return;
  if (source->format == FORMAT_GZIP) inflateEnd(&source->gzip);
  ZSTD_freeDCtx(source->zstd);
  if (source->owned && source->descriptor >= 0) close(source->descriptor);
  byte_head_free(&source->kept);
  free(source->input);
  free(source->name);
  free(source);
}
