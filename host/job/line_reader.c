#include "host/job/line_reader.h"

#include <stdlib.h>
#include <string.h>

#define READER_LINES 4096 /* lines and bytes held at a time */
#define READER_BYTES ((int64_t)1 << 20)

struct line_reader {
  char *path;
  struct block_reader *blocks;
  struct block block;
  int64_t next; /* line of the block */
};

struct line_reader *line_reader_open(const char *path, struct error *error) {
  const struct block_limits limits = {READER_LINES, READER_BYTES, LINE_READER_MAX};
  struct line_reader *reader = calloc(1, sizeof *reader);
  if (reader) reader->path = strdup(path);
  if (!reader || !reader->path) {
    error_set_memory(error, sizeof *reader, "a reader of lines");
    free(reader);
    return NULL;
  }
  reader->blocks = block_reader_open(0, path, &limits, -1, NULL, error);
  if (reader->blocks) return reader;
  line_reader_close(reader);
  return NULL;
}

void line_reader_close(struct line_reader *reader) {
  if (!reader) return;
  block_reader_close(reader->blocks);
  block_free(&reader->block);
  free(reader->path);
  free(reader);
}

const char *line_reader_path(const struct line_reader *reader) {
  return reader->path;
}

int64_t line_reader_number(const struct line_reader *reader) {
  return reader->block.border.first_line + reader->next - 1;
}

enum line_result line_reader_next(struct line_reader *reader, struct line *line, struct error *error) {
  struct block *block = &reader->block;
  while (reader->next == block->border.lines) {
    if (block->border.incomplete) {
      *error = block->damage;
      return LINE_FAILED;
    }
    switch (block_reader_next(reader->blocks, block, error)) {
      case BLOCK_READ:
        reader->next = 0;
        break;
      case BLOCK_END:
        return LINE_END;
      case BLOCK_FAILED:
        return LINE_FAILED;
    }
  }
  *line = block->line[reader->next++];
  return LINE_READ;
}
