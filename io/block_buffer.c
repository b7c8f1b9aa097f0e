#include "io/block_buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/text.h"

/* One read: small enough to stay in the second-level cache until its lines are found. */
#define READ_SIZE ((size_t)256 * 1024)
/* The most bytes before a line's LF that are not text: a CR and a mark. (A mark opens a file; a shard made
 * from several files has more than one.) */
#define TRIM_MAX (TEXT_MARK_BYTES + 1)

static size_t saturating_add(size_t a, size_t b) {
  return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

/* The most bytes of one line that are held. A longer line is too long and a block alone, so no other line
 * depends on its bytes. (A line that is too long but fits into a block is held like any other: before its end
 * is found, the reader cannot know if the line belongs to this block or to the next.) */
static size_t hold_limit(const struct block_limits *limits) {
  return saturating_add((size_t)(limits->bytes > limits->max_line ? limits->bytes : limits->max_line),
                        TRIM_MAX);
}

bool block_buffer_open(struct block_buffer *buffer, const struct block_source *source,
                       const struct block_limits *limits, struct error *error) {
  *buffer =
      (struct block_buffer){.path = strdup(strcmp(source->path, "-") == 0 ? "standard input" : source->path),
                            .size_expected = source->size,
                            .watch.size = source->size,
                            .usual = saturating_add((size_t)limits->bytes, READ_SIZE),
                            .hold = hold_limit(limits)};
  if (!buffer->path) return error_set_memory(error, strlen(source->path) + 1, "reading a shard");
  if (source->fingerprint && source->size >= 0)
    snprintf(buffer->watch.fingerprint, sizeof buffer->watch.fingerprint, "%s", source->fingerprint);
  buffer->source = byte_source_open_until(source->path, source->stop, source->head, error);
  return buffer->source != NULL;
}

void block_buffer_close(struct block_buffer *buffer) {
  byte_source_close(buffer->source);
  free(buffer->bytes);
  free(buffer->path);
}

/* Makes room for one more read: doubles the buffer, but not past the size that the limits allow. */
static bool buffer_reserve(struct block_buffer *buffer) {
  const size_t needed = buffer->size + READ_SIZE;
  if (needed <= buffer->capacity) return true;
  const size_t bound = needed <= buffer->usual ? buffer->usual : saturating_add(buffer->hold, READ_SIZE);
  size_t capacity = saturating_add(buffer->capacity, buffer->capacity);
  if (capacity > bound) capacity = bound;
  if (capacity < needed) capacity = needed;
  char *bytes = realloc(buffer->bytes, capacity);
  if (!bytes) return error_set_memory(&buffer->failure, capacity, "a block of a shard");
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  return true;
}

static enum tail buffer_resized(struct block_buffer *buffer, int64_t size) {
  buffer->resized = true;
  error_set(&buffer->failure, ERROR_INPUT,
            "the size of %s changed while the run read it, from %lld to %lld bytes: it is still being "
            "written, was replaced, or, under mpirun, is another file on this machine",
            buffer->path, (long long)buffer->size_expected, (long long)size);
  return TAIL_DAMAGED;
}

enum tail block_buffer_check_ends(struct block_buffer *buffer, enum watch_look look) {
  if (!buffer->changed && !file_watch_look(&buffer->watch, byte_source_descriptor(buffer->source),
                                           buffer->path, look, &buffer->changed, &buffer->failure))
    return TAIL_FAILED;
  if (!buffer->changed) return TAIL_OPEN;
  const int64_t now = byte_source_size(buffer->source);
  if (now >= 0 && now < buffer->size_expected) return buffer_resized(buffer, now);
  error_set(&buffer->failure, ERROR_INPUT,
            "%s changed while the run read it, and kept its size: it does not begin and end as it did when "
            "the run started",
            buffer->path);
  return TAIL_DAMAGED;
}

/* At the end of the file, compares its size with the size at the run's start. If they differ, the file is
 * still being written, or was cut, and its text may be incomplete. */
static enum tail buffer_check_size(struct block_buffer *buffer) {
  const int64_t expected = buffer->size_expected, taken = byte_source_consumed(buffer->source);
  const int64_t now = byte_source_size(buffer->source);
  if (expected < 0) return TAIL_END;
  if (taken == expected && (now == expected || now < 0)) {
    const enum tail ends = block_buffer_check_ends(buffer, WATCH_CLOSE);
    return ends == TAIL_OPEN ? TAIL_END : ends;
  }
  return buffer_resized(buffer, taken == expected ? now : taken);
}

enum tail block_buffer_fill(struct block_buffer *buffer) {
  if (buffer->tail != TAIL_OPEN) return buffer->tail;
  if (!buffer_reserve(buffer)) return buffer->tail = TAIL_FAILED;
  const int64_t count =
      byte_source_read(buffer->source, buffer->bytes + buffer->size, READ_SIZE, &buffer->failure);
  if (count > 0) {
    buffer->size += (size_t)count;
  } else if (count == 0) {
    buffer->tail = buffer_check_size(buffer);
  } else {
    buffer->tail = buffer->failure.code == ERROR_INPUT ? TAIL_DAMAGED : TAIL_FAILED;
  }
  return buffer->tail;
}

bool block_buffer_seek(struct block_buffer *buffer, int64_t offset, struct error *error) {
  if (!byte_source_seek(buffer->source, offset, error)) return false;
  buffer->tail = TAIL_OPEN;
  buffer->size = 0;
  return true;
}

static enum line_extent line_extent_of(enum tail tail) {
  return tail == TAIL_END ? LINE_NONE : tail == TAIL_DAMAGED ? LINE_CUT : LINE_FAILED;
}

enum line_extent block_buffer_find_line(struct block_buffer *buffer, size_t start, size_t limit,
                                        size_t *next) {
  size_t searched = start;
  for (;;) {
    const char *end = NULL;
    if (searched < buffer->size) end = memchr(buffer->bytes + searched, '\n', buffer->size - searched);
    *next = end ? (size_t)(end + 1 - buffer->bytes) : buffer->size;
    if (*next > limit) return LINE_BEYOND;
    if (end) return LINE_WHOLE;
    searched = buffer->size;
    if (searched - start > buffer->hold) return LINE_LONG;
    const enum tail tail = block_buffer_fill(buffer);
    if (tail == TAIL_END && searched > start) return LINE_WHOLE;
    if (tail != TAIL_OPEN) return line_extent_of(tail);
  }
}

enum line_extent block_buffer_pass_line(struct block_buffer *buffer, XXH3_state_t *hash, size_t *total,
                                        size_t *trimmed) {
  XXH3_128bits_reset(hash);
  *total = 0;
  *trimmed = text_mark(buffer->bytes, buffer->size);
  char last = 0;
  for (;;) {
    const char *end = memchr(buffer->bytes, '\n', buffer->size);
    const size_t text = end ? (size_t)(end - buffer->bytes) : buffer->size;
    const size_t taken = end ? text + 1 : text;
    if (text > 0) last = buffer->bytes[text - 1];
    XXH3_128bits_update(hash, buffer->bytes, taken);
    *total += taken;
    buffer->size -= taken;
    memmove(buffer->bytes, buffer->bytes + taken, buffer->size);
    const enum tail tail = end ? TAIL_END : block_buffer_fill(buffer);
    if (tail == TAIL_END) {
      *trimmed += (last == '\r') + (end != NULL);
      return LINE_WHOLE;
    }
    if (tail != TAIL_OPEN) return line_extent_of(tail);
  }
}

/* Shrinks a buffer that one long line has made larger. */
static void buffer_trim(char **buffer, size_t *capacity, size_t size, size_t usual) {
  if (*capacity <= usual || size > usual) return;
  char *smaller = realloc(*buffer, usual);
  if (!smaller) return; /* a larger buffer works too */
  *buffer = smaller;
  *capacity = usual;
}

bool block_buffer_give(struct block_buffer *buffer, size_t taken, char **text, size_t *capacity,
                       struct error *error) {
  const size_t rest = buffer->size - taken;
  if (*capacity < rest) {
    char *larger = realloc(*text, rest);
    if (!larger) return error_set_memory(error, rest, "a block of a shard");
    *text = larger;
    *capacity = rest;
  }
  if (rest > 0) memcpy(*text, buffer->bytes + taken, rest);
  char *const given = buffer->bytes;
  const size_t given_capacity = buffer->capacity;
  buffer->bytes = *text;
  buffer->capacity = *capacity;
  buffer->size = rest;
  *text = given;
  *capacity = given_capacity;
  buffer_trim(text, capacity, taken, buffer->usual);
  return true;
}

void block_buffer_drop(struct block_buffer *buffer, size_t taken) {
  buffer->size -= taken;
  if (buffer->size > 0) memmove(buffer->bytes, buffer->bytes + taken, buffer->size);
  buffer_trim(&buffer->bytes, &buffer->capacity, buffer->size, buffer->usual);
}
