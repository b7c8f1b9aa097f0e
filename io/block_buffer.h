/* The bytes of a shard that a block reader (io/block.h) holds: from its next block on, read by read, with the
 * lines found in them. It watches the file: if the file changed while the run reads it, the shard counts as
 * damaged there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <xxhash.h>

#include "io/block.h"
#include "io/byte_source.h"
#include "io/error.h"
#include "io/file_watch.h"

/* The result of the last attempt to read on. */
enum tail { TAIL_OPEN, TAIL_END, TAIL_DAMAGED, TAIL_FAILED };

struct block_buffer {
  struct byte_source *source;
  char *path;
  int64_t size_expected; /* of the file; -1: not known */
  struct file_watch watch;
  bool changed; /* the watch has seen another file, or other bytes in it */
  bool resized; /* the file was shorter, or had another size at its end */

  /* Whole from the next block's start on, except while a long line is being skipped. */
  char *bytes;
  size_t size, capacity;

  enum tail tail;
  struct error failure; /* for TAIL_DAMAGED and TAIL_FAILED */

  size_t usual; /* the capacity that is needed if no line is longer than a block */
  size_t hold;  /* the most bytes of one line that are held */
};

/* If this fails, close the buffer too. */
bool block_buffer_open(struct block_buffer *buffer, const struct block_source *source,
                       const struct block_limits *limits, struct error *error);

void block_buffer_close(struct block_buffer *buffer);

/* Looks whether the file still begins and ends as it did at the run's start. TAIL_OPEN: it does. */
enum tail block_buffer_check_ends(struct block_buffer *buffer, enum watch_look look);

/* Adds one read. TAIL_OPEN: bytes came. Any other result is final. */
enum tail block_buffer_fill(struct block_buffer *buffer);

/* Drops the bytes and goes on at `offset` of the text. The source can seek. */
bool block_buffer_seek(struct block_buffer *buffer, int64_t offset, struct error *error);

enum line_extent {
  LINE_WHOLE,  /* a line that ends in LF or at the shard's end */
  LINE_BEYOND, /* the next line does not fit into the block */
  LINE_LONG,   /* more bytes than are held, and no end so far */
  LINE_NONE,   /* the shard has ended */
  LINE_CUT,    /* damage comes before the line's end */
  LINE_FAILED,
};

/* Finds the line that begins at `start`; reads on if needed. *next is the start of the following line; the
 * block must end at `limit` or before. */
enum line_extent block_buffer_find_line(struct block_buffer *buffer, size_t start, size_t limit,
                                        size_t *next);

/* Skips the line that fills the buffer and continues beyond it. *total counts the line's bytes, *trimmed
 * those that are not text (mark, CR and LF). `hash` takes the whole line; the buffer keeps the bytes after
 * the line. */
enum line_extent block_buffer_pass_line(struct block_buffer *buffer, XXH3_state_t *hash, size_t *total,
                                        size_t *trimmed);

/* Hands the first `taken` bytes over: the buffer exchanges its memory with *text (which may be NULL), and
 * only the bytes after them are copied. */
bool block_buffer_give(struct block_buffer *buffer, size_t taken, char **text, size_t *capacity,
                       struct error *error);

/* Drops the first `taken` bytes. */
void block_buffer_drop(struct block_buffer *buffer, size_t taken);
