#include "io/block.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/block_buffer.h"
#include "io/hash_text.h"
#include "io/text.h"

#define DAMAGE_ADVICE "repair or replace it and start the same command again"

struct block_reader {
  struct block_limits limits;
  int32_t shard;

  /* The next block. */
  int32_t index;
  int64_t first_line;
  int64_t first_offset;
  bool done;

  struct block_buffer buffer; /* from first_offset on */
  XXH3_state_t *hash;
  int64_t consumed; /* last result of block_reader_consumed */
};

void block_free(struct block *block) {
  free(block->line);
  free(block->text);
  memset(block, 0, sizeof *block);
}

size_t block_memory(const struct block *block) {
  return block->text_capacity + (size_t)block->line_capacity * sizeof *block->line;
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
  const enum line_extent result = block_buffer_pass_line(&reader->buffer, reader->hash, &total, &trimmed);
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
    const size_t limit = border->lines > 0 ? (size_t)reader->limits.bytes : SIZE_MAX;
    result = block_buffer_find_line(&reader->buffer, found->held, limit, &next);
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
    *error = reader->buffer.failure;
    return false;
  }
  if (!found->passed)
    hash_text(XXH3_128bits(found->held ? reader->buffer.bytes : "", found->held), border->hash);
  border->incomplete = result == LINE_CUT;
  if (border->incomplete || reader->buffer.size > found->held) return true;
  /* The last block of a shard must be marked as the last. If no bytes are left, look ahead one read to find
   * out. If the look-ahead fails, drop the block: committing it without the mark could leave the shard
   * without an end for ever. */
  const enum tail tail = block_buffer_fill(&reader->buffer);
  border->end_of_shard = tail == TAIL_END;
  if (tail == TAIL_FAILED) *error = reader->buffer.failure;
  return tail != TAIL_FAILED;
}

/* As reader_find. If the file has changed by now, the block may be of other lines: it is incomplete. */
static bool reader_find_same(struct block_reader *reader, struct block *block, struct found *found,
                             struct error *error) {
  struct block_border *border = &found->border;
  if (!reader_find(reader, block, found, error)) return false;
  if (border->end_of_shard || border->incomplete) return true;
  const enum tail ends = block_buffer_check_ends(&reader->buffer, WATCH_QUICK);
  if (ends == TAIL_FAILED) *error = reader->buffer.failure;
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

static bool block_take(struct block *block, struct block_reader *reader, const struct found *found,
                       struct error *error) {
  if (!block_buffer_give(&reader->buffer, found->held, &block->text, &block->text_capacity, error))
    return false;
  block->text_size = found->held;
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
  block->damage = reader->buffer.failure;
  error_prefix(&block->damage, "shard %s is damaged after line %lld (byte %lld of its text)",
               reader->buffer.path, (long long)(border->first_line + border->lines - 1),
               (long long)border->next_offset);
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
  return error_set(error, ERROR_INPUT, "shard %s has more than %d blocks: make blocks larger",
                   reader->buffer.path, INT32_MAX);
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
  block_buffer_drop(&reader->buffer, found.held);
  *border = found.border;
  reader_advance(reader, border);
  return BLOCK_READ;
}

bool block_reader_seek(struct block_reader *reader, const struct block_border *previous,
                       struct error *error) {
  error->code = ERROR_NONE;
  const bool last = previous->end_of_shard || previous->incomplete;
  if (!last) {
    if (!byte_source_can_seek(reader->buffer.source)) return false;
    if (!block_buffer_seek(&reader->buffer, previous->next_offset, error)) {
      /* If the file ends before this offset, nothing has moved, and reading on meets the change. */
      if (error->code == ERROR_INPUT) error->code = ERROR_NONE;
      return false;
    }
    reader->consumed = 0;
  }
  reader_advance(reader, previous);
  return true;
}

bool block_reader_changed(const struct block_reader *reader) {
  return reader->buffer.changed || reader->buffer.resized;
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
  block->damage = reader->buffer.failure;
  error_prefix(&block->damage, "shard %s is damaged before its block %d", reader->buffer.path, index);
  error_append(&block->damage, DAMAGE_ADVICE);
}

bool block_reader_ended(const struct block_reader *reader) {
  return reader->done;
}

int32_t block_reader_position(const struct block_reader *reader) {
  return reader->index;
}

int64_t block_reader_consumed(struct block_reader *reader) {
  const double text = (double)reader->first_offset, ahead = (double)reader->buffer.size;
  int64_t consumed = byte_source_position(reader->buffer.source);
  if (reader->done)
    consumed = byte_source_consumed(reader->buffer.source);
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
  XXH3_state_t *hash = XXH3_createState();
  if (!reader || !hash) {
    free(reader);
    XXH3_freeState(hash);
    error_set_memory(error, sizeof *reader, "reading a shard");
    return NULL;
  }
  *reader = (struct block_reader){.shard = shard, .limits = *limits, .first_line = 1, .hash = hash};
  if (block_buffer_open(&reader->buffer, source, limits, error)) return reader;
  block_reader_close(reader);
  return NULL;
}

void block_reader_close(struct block_reader *reader) {
  if (!reader) return;
  block_buffer_close(&reader->buffer);
  XXH3_freeState(reader->hash);
  free(reader);
}
