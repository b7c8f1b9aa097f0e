#include "io/line_reader.h"

#include <stdlib.h>
#include <string.h>

#include "io/byte_source.h"
#include "io/seekable_zst.h"
#include "io/text.h"

#define PIECE_BYTES ((size_t)128 << 10) /* read at a time */
#define ENDING_BYTES 2                  /* CRLF: bytes of a line beside its text and the mark */

struct line_reader {
  char *name;                         /* for error sentences */
  struct byte_source *source;         /* NULL if there is `frames` */
  struct seekable_zst_reader *frames; /* a file that is read frame by frame; NULL: any other */
  struct line_limits limits;
  char *buffer; /* [capacity + 1 for a NUL]; bytes start … end are not yet given */
  size_t start, end, capacity;
  int64_t offset; /* place of buffer[start] in the text */
  int64_t total;  /* bytes of text read so far */
  int64_t number; /* of the last line */
  bool ended;
};

static struct line_reader *reader_open(const char *path, const struct line_limits *limits,
                                       struct byte_source *source, struct error *error) {
  struct line_reader *reader = calloc(1, sizeof *reader);
  if (reader) reader->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
  if (!source || !reader || !reader->name) {
    if (source) error_set_memory(error, sizeof *reader, "a reader of lines");
    byte_source_close(source);
    line_reader_close(reader);
    return NULL;
  }
  reader->limits = *limits;
  reader->source = source;
  return reader;
}

struct line_reader *line_reader_open(const char *path, const struct line_limits *limits,
                                     struct error *error) {
  return reader_open(path, limits, byte_source_open(path, error), error);
}

static bool frames_open(struct line_reader *reader, const char *path, int64_t frame_most,
                        struct error *error) {
  reader->name = strdup(path);
  if (!reader->name) return error_set_memory(error, strlen(path), "a path");
  reader->frames = seekable_zst_reader_open(path, error);
  if (!reader->frames) return false;
  const int64_t largest = seekable_zst_reader_largest(reader->frames);
  return largest <= frame_most || error_set(error, ERROR_INPUT,
                                            "%s: damaged seek table: a frame of %lld bytes, but its lines "
                                            "take at most %lld",
                                            path, (long long)largest, (long long)frame_most);
}

struct line_reader *line_reader_open_frames(const char *path, const struct line_limits *limits,
                                            int64_t frame_most, struct error *error) {
  struct line_reader *reader = calloc(1, sizeof *reader);
  if (!reader) {
    error_set_memory(error, sizeof *reader, "a reader of lines");
    return NULL;
  }
  reader->limits = *limits;
  if (frames_open(reader, path, frame_most, error)) return reader;
  line_reader_close(reader);
  return NULL;
}

struct line_reader *line_reader_open_keeping(const char *path, const struct line_limits *limits,
                                             const atomic_int *stop, struct byte_head *keep,
                                             struct error *error) {
  return reader_open(path, limits, byte_source_open_keeping(path, stop, keep, error), error);
}

void line_reader_close(struct line_reader *reader) {
  if (!reader) return;
  byte_source_close(reader->source);
  seekable_zst_reader_close(reader->frames);
  free(reader->buffer);
  free(reader->name);
  free(reader);
}

const char *line_reader_name(const struct line_reader *reader) {
  return reader->name;
}

int64_t line_reader_number(const struct line_reader *reader) {
  return reader->number;
}

int64_t line_reader_bytes(const struct line_reader *reader) {
  return reader->total;
}

/* Makes room for `wanted` bytes after the held bytes. */
static bool buffer_reserve(struct line_reader *reader, size_t wanted, struct error *error) {
  if (reader->start > 0) {
    memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
    reader->end -= reader->start;
    reader->start = 0;
  }
  if (reader->capacity - reader->end >= wanted) return true;
  const size_t capacity = 2 * reader->end + wanted;
  char *grown = realloc(reader->buffer, capacity + 1);
  if (!grown) return error_set_memory(error, capacity, "a line");
  reader->buffer = grown;
  reader->capacity = capacity;
  return true;
}

/* Reads the next frame after the held bytes. Its checksum is found right before this returns true. Returns
 * the number of bytes, 0 at the end, or -1. */
static int64_t frame_fill(struct line_reader *reader, struct error *error) {
  const int64_t size = seekable_zst_reader_rest(reader->frames, reader->total);
  if (size == 0) return 0;
  if (!buffer_reserve(reader, (size_t)size, error) ||
      !seekable_zst_reader_read(reader->frames, reader->total, reader->buffer + reader->end, (size_t)size,
                                error))
    return -1;
  return size;
}

static int64_t piece_fill(struct line_reader *reader, struct error *error) {
  if (!buffer_reserve(reader, PIECE_BYTES, error)) return -1;
  return byte_source_read(reader->source, reader->buffer + reader->end, PIECE_BYTES, error);
}

/* Reads more text after the held bytes; sets `ended` if the text has ended. */
static bool buffer_fill(struct line_reader *reader, struct error *error) {
  const int64_t got = reader->frames ? frame_fill(reader, error) : piece_fill(reader, error);
  if (got < 0) return false;
  reader->ended = got == 0;
  reader->end += (size_t)got;
  reader->total += got;
  if (reader->limits.total == 0 || reader->total <= reader->limits.total) return true;
  return error_set(error, ERROR_INPUT, "%s holds more than %lld bytes of text, which is too much",
                   reader->name, (long long)reader->limits.total);
}

/* Finds the length of the line at `start`, line end included; 0 at the end of the text. If the line is too
 * long, only its last piece is kept, and *passed counts the dropped bytes. */
static bool line_find(struct line_reader *reader, size_t *length, int64_t *passed, struct error *error) {
  const size_t most = (size_t)reader->limits.line + TEXT_MARK_BYTES + ENDING_BYTES;
  size_t looked = 0;
  *passed = 0;
  for (;;) {
    const size_t held = reader->end - reader->start;
    const char *from = reader->buffer ? reader->buffer + reader->start : NULL; /* before the first read */
    const char *lf = held > looked ? memchr(from + looked, '\n', held - looked) : NULL;
    *length = lf ? (size_t)(lf - from) + 1 : held;
    if (lf || reader->ended) return true;
    looked = held;
    if (held > most) {
      *passed += (int64_t)held;
      reader->start = reader->end = 0;
      looked = 0;
    }
    if (!buffer_fill(reader, error)) return false;
  }
}

enum line_result line_reader_next_any(struct line_reader *reader, struct line *line, struct error *error) {
  size_t length;
  int64_t passed;
  if (!line_find(reader, &length, &passed, error)) return LINE_FAILED;
  if (length == 0 && passed == 0) return LINE_END;
  char *text = reader->buffer + reader->start;
  *line = (struct line){.offset = reader->offset};
  reader->number++;
  reader->start += length;
  reader->offset += passed + (int64_t)length;
  if (length > 0 && text[length - 1] == '\n') length--;
  if (length > 0 && text[length - 1] == '\r') length--;
  if (line->offset == 0 && passed == 0) {
    const size_t mark = text_mark(text, length);
    text += mark;
    length -= mark;
  }
  line->length = passed + (int64_t)length;
  line->too_long = line->length > reader->limits.line;
  if (line->too_long) return LINE_READ;
  line->text = text;
  text[length] = '\0';
  return LINE_READ;
}

enum line_result line_reader_next(struct line_reader *reader, struct line *line, struct error *error) {
  const enum line_result result = line_reader_next_any(reader, line, error);
  if (result != LINE_READ || !line->too_long) return result;
  error_set(error, ERROR_INPUT, "%s, line %lld is longer than %lld bytes", reader->name,
            (long long)reader->number, (long long)reader->limits.line);
  return LINE_FAILED;
}

bool line_is_string(const struct line_reader *reader, const struct line *line, struct error *error) {
  if (!memchr(line->text, '\0', (size_t)line->length)) return true;
  return error_set(error, ERROR_INPUT, "%s, line %lld: a NUL byte: this is not a text file", reader->name,
                   (long long)reader->number);
}

bool line_reader_can_seek(const struct line_reader *reader) {
  return reader->source && byte_source_can_seek(reader->source);
}

bool line_reader_go(struct line_reader *reader, int64_t offset, int64_t number, struct error *error) {
  if (line_reader_can_seek(reader)) {
    if (!byte_source_seek(reader->source, offset, error)) return false;
  } else {
    for (int64_t left = offset; left > 0;) {
      if (!buffer_fill(reader, error)) return false;
      if (reader->ended)
        return error_set(error, ERROR_INPUT, "%s ends before its line %lld", reader->name, (long long)number);
      const int64_t held = (int64_t)reader->end, passed = held < left ? held : left;
      left -= passed;
      reader->start = (size_t)passed;
    }
  }
  reader->offset = offset;
  reader->number = number - 1;
  return true;
}
