#include "io/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/byte_source.h"
#include "io/file_watch.h"
#include "io/hash_text.h"
#include "io/text.h"

/* One read: small enough to stay in the second-level cache until its lines are found. */
#define READ_SIZE ((size_t)256 * 1024)
/* The most bytes before a line's LF that are not text: a CR and a mark. (A mark opens a file; a shard made
 * from several files has more than one.) */
#define TRIM_MAX (TEXT_MARK_BYTES + 1)
#define DAMAGE_ADVICE "repair or replace it and start the same command again"

/* The result of the last attempt to read on. */
enum tail { TAIL_OPEN, TAIL_END, TAIL_DAMAGED, TAIL_FAILED };

struct block_reader {
  struct byte_source *source;
  char *path;
  struct block_limits limits;
  int32_t shard;
  int64_t size_expected; /* of the file; -1: not known */
  struct file_watch watch;
  bool changed; /* the watch has seen another file, or other bytes in it */
  bool resized; /* at its end, the file had another size */

  /* The next block. */
  int32_t index;
  int64_t first_line;
  int64_t first_offset;
  bool done;

  /* The shard's bytes from first_offset on. They are whole from the block's start, except while a long line
   * is being skipped. */
  char *buffer;
  size_t size, capacity;

  int64_t consumed; /* last result of block_reader_consumed */

  enum tail tail;
  struct error failure; /* for TAIL_DAMAGED and TAIL_FAILED */
  XXH3_state_t *hash;
};

void block_free(struct block *block) {
  free(block->line);
  free(block->text);
  memset(block, 0, sizeof *block);
}

size_t block_memory(const struct block *block) {
  return block->text_capacity + (size_t)block->line_capacity * sizeof *block->line;
}

static size_t saturating_add(size_t a, size_t b) {
  return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

/* The capacity that a buffer needs if no line is longer than a block. */
static size_t usual_capacity(const struct block_reader *reader) {
  return saturating_add((size_t)reader->limits.bytes, READ_SIZE);
}

/* The most bytes of one line that are held. A longer line is too long and a block alone, so no other line
 * depends on its bytes. (A line that is too long but fits into a block is held like any other: before its end
 * is found, the reader cannot know if the line belongs to this block or to the next.) */
static size_t hold_limit(const struct block_reader *reader) {
  const struct block_limits *limits = &reader->limits;
  return saturating_add((size_t)(limits->bytes > limits->max_line ? limits->bytes : limits->max_line),
                        TRIM_MAX);
}

/* Makes room for one more read: doubles the buffer, but not past the size that the limits allow. */
static bool reader_reserve(struct block_reader *reader) {
  const size_t needed = reader->size + READ_SIZE;
  if (needed <= reader->capacity) return true;
  const size_t usual = usual_capacity(reader);
  const size_t bound = needed <= usual ? usual : saturating_add(hold_limit(reader), READ_SIZE);
  size_t capacity = saturating_add(reader->capacity, reader->capacity);
  if (capacity > bound) capacity = bound;
  if (capacity < needed) capacity = needed;
  char *buffer = realloc(reader->buffer, capacity);
  if (!buffer) return error_set_memory(&reader->failure, capacity, "a block of a shard");
  reader->buffer = buffer;
  reader->capacity = capacity;
  return true;
}

/* Looks whether the file still begins and ends as it did at the run's start. TAIL_OPEN: it does. */
static enum tail reader_check_ends(struct block_reader *reader, enum watch_look look) {
  if (!reader->changed && !file_watch_look(&reader->watch, byte_source_descriptor(reader->source),
                                           reader->path, look, &reader->changed, &reader->failure))
    return TAIL_FAILED;
  if (!reader->changed) return TAIL_OPEN;
  error_set(&reader->failure, ERROR_INPUT,
            "%s changed while the run read it, and kept its size: it does not begin and end as it did when "
            "the run started",
            reader->path);
  return TAIL_DAMAGED;
}

/* At the end of the file, compares its size with the size at the run's start. If they differ, the file is
 * still being written, or was cut, and its text may be incomplete. */
static enum tail reader_check_size(struct block_reader *reader) {
  const int64_t expected = reader->size_expected, taken = byte_source_consumed(reader->source);
  const int64_t now = byte_source_size(reader->source);
  if (expected < 0) return TAIL_END;
  if (taken == expected && (now == expected || now < 0)) {
    const enum tail ends = reader_check_ends(reader, WATCH_CLOSE);
    return ends == TAIL_OPEN ? TAIL_END : ends;
  }
  reader->resized = true;
  error_set(&reader->failure, ERROR_INPUT,
            "the size of %s changed while the run read it, from %lld to %lld bytes: it is still being "
            "written, or was replaced",
            reader->path, (long long)expected, (long long)(taken == expected ? now : taken));
  return TAIL_DAMAGED;
}

/* Adds one read to the buffer. TAIL_OPEN: bytes came. Any other result is final. */
static enum tail reader_fill(struct block_reader *reader) {
  if (reader->tail != TAIL_OPEN) return reader->tail;
  if (!reader_reserve(reader)) return reader->tail = TAIL_FAILED;
  const int64_t count =
      byte_source_read(reader->source, reader->buffer + reader->size, READ_SIZE, &reader->failure);
  if (count > 0) {
    reader->size += (size_t)count;
  } else if (count == 0) {
    reader->tail = reader_check_size(reader);
  } else {
    reader->tail = reader->failure.code == ERROR_INPUT ? TAIL_DAMAGED : TAIL_FAILED;
  }
  return reader->tail;
}

enum line_extent {
  LINE_WHOLE,  /* a line that ends in LF or at the shard's end */
  LINE_BEYOND, /* the next line does not fit into the block */
  LINE_LONG,   /* more bytes than are held, and no end so far */
  LINE_NONE,   /* the shard has ended */
  LINE_CUT,    /* damage comes before the line's end */
  LINE_FAILED,
};

static enum line_extent line_extent_of(enum tail tail) {
  return tail == TAIL_END ? LINE_NONE : tail == TAIL_DAMAGED ? LINE_CUT : LINE_FAILED;
}

/* Finds the line that begins at `start` in the buffer; reads on if needed. *next is the start of the
 * following line; the block must end at `limit` or before. */
static enum line_extent line_find(struct block_reader *reader, size_t start, size_t limit, size_t *next) {
  size_t searched = start;
  for (;;) {
    const char *end = NULL;
    if (searched < reader->size) end = memchr(reader->buffer + searched, '\n', reader->size - searched);
    *next = end ? (size_t)(end + 1 - reader->buffer) : reader->size;
    if (*next > limit) return LINE_BEYOND;
    if (end) return LINE_WHOLE;
    searched = reader->size;
    if (searched - start > hold_limit(reader)) return LINE_LONG;
    const enum tail tail = reader_fill(reader);
    if (tail == TAIL_END && searched > start) return LINE_WHOLE;
    if (tail != TAIL_OPEN) return line_extent_of(tail);
  }
}

/* Skips the line that fills the buffer and continues beyond it. *total counts the line's bytes, *trimmed
 * those that are not text (mark, CR and LF). reader->hash takes the whole line; the buffer keeps the bytes
 * after the line. */
static enum line_extent line_pass(struct block_reader *reader, size_t *total, size_t *trimmed) {
  XXH3_128bits_reset(reader->hash);
  *total = 0;
  *trimmed = text_mark(reader->buffer, reader->size);
  char last = 0;
  for (;;) {
    const char *end = memchr(reader->buffer, '\n', reader->size);
    const size_t text = end ? (size_t)(end - reader->buffer) : reader->size;
    const size_t taken = end ? text + 1 : text;
    if (text > 0) last = reader->buffer[text - 1];
    XXH3_128bits_update(reader->hash, reader->buffer, taken);
    *total += taken;
    reader->size -= taken;
    memmove(reader->buffer, reader->buffer + taken, reader->size);
    const enum tail tail = end ? TAIL_END : reader_fill(reader);
    if (tail == TAIL_END) {
      *trimmed += (last == '\r') + (end != NULL);
      return LINE_WHOLE;
    }
    if (tail != TAIL_OPEN) return line_extent_of(tail);
  }
}

static bool block_add_line(struct block *block, int64_t index, int64_t offset, struct error *error) {
  if (index == block->line_capacity) {
    const int64_t capacity = index < 512 ? 1024 : index * 2;
    struct line *line = realloc(block->line, (size_t)capacity * sizeof *line);
    if (!line) return error_set_memory(error, (size_t)capacity * sizeof *line, "the lines of a block");
    block->line = line;
    block->line_capacity = capacity;
  }
  block->line[index] = (struct line){.offset = offset};
  return true;
}

/* A block that the reader has found. Its bytes are the first `held` in the buffer, unless the block is a
 * single line that was skipped. */
struct found {
  struct block_border border;
  size_t held;
  bool passed;
  int64_t passed_length;
};

/* The block is one line that is not held: finds the line's end. */
static enum line_extent found_pass_line(struct block_reader *reader, struct found *found) {
  size_t total, trimmed;
  const enum line_extent result = line_pass(reader, &total, &trimmed);
  if (result != LINE_WHOLE) return result;
  found->passed = true;
  found->passed_length = (int64_t)(total - trimmed);
  found->border.lines = 1;
  found->border.next_offset += (int64_t)total;
  hash_text(XXH3_128bits_digest(reader->hash), found->border.hash);
  return result;
}

/* Finds the next block's border. If `block` is not NULL, it receives its lines' offsets. */
static bool reader_find(struct block_reader *reader, struct block *block, struct found *found,
                        struct error *error) {
  struct block_border *border = &found->border;
  *found = (struct found){.border = {.shard = reader->shard,
                                     .index = reader->index,
                                     .first_line = reader->first_line,
                                     .first_offset = reader->first_offset,
                                     .next_offset = reader->first_offset}};
  enum line_extent result = LINE_WHOLE;
  while (result == LINE_WHOLE && border->lines < reader->limits.lines) {
    size_t next;
    result =
        line_find(reader, found->held, border->lines > 0 ? (size_t)reader->limits.bytes : SIZE_MAX, &next);
    if (result != LINE_WHOLE) break;
    if (block && !block_add_line(block, border->lines, border->next_offset, error)) return false;
    border->lines++;
    border->next_offset += (int64_t)(next - found->held);
    found->held = next;
  }
  if (result == LINE_LONG) {
    if (block && !block_add_line(block, 0, border->first_offset, error)) return false;
    result = found_pass_line(reader, found);
  }
  if (result == LINE_FAILED) {
    *error = reader->failure;
    return false;
  }
  if (!found->passed) hash_text(XXH3_128bits(found->held ? reader->buffer : "", found->held), border->hash);
  border->incomplete = result == LINE_CUT;
  if (border->incomplete || reader->size > found->held) return true;
  /* The last block of a shard must be marked as the last. If no bytes are left, look ahead one read to find
   * out. If the look-ahead fails, drop the block: committing it without the mark could leave the shard
   * without an end for ever. */
  const enum tail tail = reader_fill(reader);
  border->end_of_shard = tail == TAIL_END;
  if (tail == TAIL_FAILED) *error = reader->failure;
  return tail != TAIL_FAILED;
}

/* As reader_find. If the file has changed by now, the block may be of other lines: it is incomplete. */
static bool reader_find_same(struct block_reader *reader, struct block *block, struct found *found,
                             struct error *error) {
  struct block_border *border = &found->border;
  if (!reader_find(reader, block, found, error)) return false;
  if (border->end_of_shard || border->incomplete) return true;
  const enum tail ends = reader_check_ends(reader, WATCH_QUICK);
  if (ends == TAIL_FAILED) *error = reader->failure;
  border->incomplete = ends == TAIL_DAMAGED;
  return ends != TAIL_FAILED;
}

/* Sets every line's text from the starts of the line and of the next one. */
static void block_set_lines(struct block *block, int64_t max_line) {
  const struct block_border *border = &block->border;
  for (int64_t i = 0; i < border->lines; i++) {
    struct line *line = &block->line[i];
    const int64_t next = i + 1 < border->lines ? block->line[i + 1].offset : border->next_offset;
    char *text = block->text + (line->offset - border->first_offset);
    char *end = block->text + (next - border->first_offset);
    if (end > text && end[-1] == '\n') end--;
    if (end > text && end[-1] == '\r') end--;
    text += text_mark(text, (size_t)(end - text));
    line->length = end - text;
    line->too_long = line->length > max_line;
    line->text = line->too_long ? NULL : text;
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

/* Hands the found block's text over: block and reader exchange buffers, and only the bytes after the block
 * are copied. */
static bool block_take(struct block *block, struct block_reader *reader, const struct found *found,
                       struct error *error) {
  const size_t rest = reader->size - found->held;
  if (block->text_capacity < rest) {
    char *text = realloc(block->text, rest);
    if (!text) return error_set_memory(error, rest, "a block of a shard");
    block->text = text;
    block->text_capacity = rest;
  }
  if (rest > 0) memcpy(block->text, reader->buffer + found->held, rest);
  char *buffer = block->text;
  const size_t capacity = block->text_capacity;
  block->text = reader->buffer;
  block->text_capacity = reader->capacity;
  block->text_size = found->held;
  reader->buffer = buffer;
  reader->capacity = capacity;
  reader->size = rest;
  buffer_trim(&block->text, &block->text_capacity, block->text_size, usual_capacity(reader));
  block->border = found->border;
  if (found->passed) {
    block->line[0].length = found->passed_length;
    block->line[0].too_long = true;
  } else {
    block_set_lines(block, reader->limits.max_line);
  }
  return true;
}

/* Describes the damage that ends the shard, and names the last whole line. */
static void block_set_damage(struct block *block, const struct block_reader *reader) {
  const struct block_border *border = &block->border;
  block->damage.code = ERROR_NONE;
  block->damage.message[0] = 0;
  if (!border->incomplete) return;
  block->damage = reader->failure;
  error_prefix(&block->damage, "shard %s is damaged after line %lld (byte %lld of its text)", reader->path,
               (long long)(border->first_line + border->lines - 1), (long long)border->next_offset);
  error_append(&block->damage, DAMAGE_ADVICE);
}

static void reader_advance(struct block_reader *reader, const struct block_border *border) {
  reader->index = border->index + 1;
  reader->first_line = border->first_line + border->lines;
  reader->first_offset = border->next_offset;
  reader->done = border->end_of_shard || border->incomplete;
}

static bool reader_may_go_on(const struct block_reader *reader, struct error *error) {
  if (reader->index < INT32_MAX) return true;
  return error_set(error, ERROR_INPUT, "shard %s has more than %d blocks: make blocks larger", reader->path,
                   INT32_MAX);
}

enum block_result block_reader_next(struct block_reader *reader, struct block *block, struct error *error) {
  if (reader->done) return BLOCK_END;
  struct found found;
  if (!reader_may_go_on(reader, error) || !reader_find_same(reader, block, &found, error))
    return BLOCK_FAILED;
  if (!block_take(block, reader, &found, error)) return BLOCK_FAILED;
  block_set_damage(block, reader);
  reader_advance(reader, &block->border);
  return BLOCK_READ;
}

enum block_result block_reader_skip(struct block_reader *reader, struct block_border *border,
                                    struct error *error) {
  if (reader->done) return BLOCK_END;
  struct found found;
  if (!reader_may_go_on(reader, error) || !reader_find_same(reader, NULL, &found, error)) return BLOCK_FAILED;
  reader->size -= found.held;
  if (reader->size > 0) memmove(reader->buffer, reader->buffer + found.held, reader->size);
  buffer_trim(&reader->buffer, &reader->capacity, reader->size, usual_capacity(reader));
  *border = found.border;
  reader_advance(reader, border);
  return BLOCK_READ;
}

bool block_reader_seek(struct block_reader *reader, const struct block_border *previous,
                       struct error *error) {
  error->code = ERROR_NONE;
  const bool last = previous->end_of_shard || previous->incomplete;
  if (!last) {
    if (!byte_source_can_seek(reader->source)) return false;
    if (!byte_source_seek(reader->source, previous->next_offset, error)) return false;
    reader->tail = TAIL_OPEN;
    reader->size = 0;
    reader->consumed = 0;
  }
  reader_advance(reader, previous);
  return true;
}

bool block_reader_changed(const struct block_reader *reader) {
  return reader->changed || reader->resized;
}

void block_reader_give_up(const struct block_reader *reader, int32_t index,
                          const struct block_border *previous, struct block *block) {
  /* Every block before has at least one line, and every line at least one byte. */
  struct block_border *border = &block->border;
  *border = (struct block_border){.shard = reader->shard,
                                  .index = index,
                                  .first_line = (int64_t)index + 1,
                                  .first_offset = index,
                                  .incomplete = true};
  if (previous) {
    border->first_line = previous->first_line + previous->lines;
    border->first_offset = previous->next_offset;
  }
  border->next_offset = border->first_offset;
  hash_text(XXH3_128bits("", 0), border->hash);
  block->text_size = 0;
  block->damage = reader->failure;
  error_prefix(&block->damage, "shard %s is damaged before its block %d", reader->path, index);
  error_append(&block->damage, DAMAGE_ADVICE);
}

bool block_reader_ended(const struct block_reader *reader) {
  return reader->done;
}

int32_t block_reader_position(const struct block_reader *reader) {
  return reader->index;
}

int64_t block_reader_consumed(struct block_reader *reader) {
  const double text = (double)reader->first_offset, ahead = (double)reader->size;
  int64_t consumed = byte_source_position(reader->source);
  if (reader->done)
    consumed = byte_source_consumed(reader->source);
  else if (ahead > 0) /* the blocks' share, if the text is compressed evenly */
    consumed = (int64_t)((double)consumed * (text / (text + ahead)) + 0.5);
  if (consumed > reader->consumed) reader->consumed = consumed;
  return reader->consumed;
}

struct block_reader *block_reader_open(int32_t shard, const struct block_source *source,
                                       const struct block_limits *limits, struct error *error) {
  if (limits->lines < 1 || limits->bytes < 1 || limits->max_line < 1) {
    error_set(error, ERROR_USAGE, "a block needs limits of at least 1 line, 1 byte and lines of 1 byte");
    return NULL;
  }
  struct block_reader *reader = calloc(1, sizeof *reader);
  if (!reader) goto no_memory;
  *reader = (struct block_reader){
      .shard = shard, .limits = *limits, .size_expected = source->size, .first_line = 1};
  reader->path = strdup(strcmp(source->path, "-") == 0 ? "standard input" : source->path);
  reader->hash = XXH3_createState();
  reader->watch.size = source->size;
  if (source->fingerprint && source->size >= 0)
    snprintf(reader->watch.fingerprint, sizeof reader->watch.fingerprint, "%s", source->fingerprint);
  if (!reader->path || !reader->hash) goto no_memory;
  reader->source = byte_source_open_until(source->path, source->stop, source->head, error);
  if (reader->source) return reader;
  block_reader_close(reader);
  return NULL;
no_memory:
  error_set_memory(error, sizeof *reader, "reading a shard");
  block_reader_close(reader);
  return NULL;
}

void block_reader_close(struct block_reader *reader) {
  if (!reader) return;
  byte_source_close(reader->source);
  XXH3_freeState(reader->hash);
  free(reader->buffer);
  free(reader->path);
  free(reader);
}
