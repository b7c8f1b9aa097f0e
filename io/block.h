/* Blocks: consecutive lines of one shard, the unit of claim, commit and resume.
 *
 * A block ends before the line that would take it past `lines` lines or `bytes` decompressed bytes (line ends
 * counted); a line longer than `bytes` is a block of its own. Its borders depend on the shard's bytes and
 * these limits alone, so every reader of the shard, at any time, finds the same blocks. Blank lines and lines
 * that will be rejected belong to their block. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "io/byte_source.h"
#include "io/error.h"

struct block_limits {
  int64_t lines;    /* at least 1 */
  int64_t bytes;    /* at least 1 */
  int64_t max_line; /* at least 1; a line with a longer text is passed over: its struct line has too_long set.
                       No more of any line is held than the larger of this and `bytes`, so memory is bounded
                       whatever a shard holds. */
};

/* One line, without its LF or CRLF, and without a byte order mark at its start. (A mark opens a file; a shard
 * that was made of several files may have one at any line.) The last line of a shard may lack its LF; a lone
 * CR at its end is then taken off as well. */
struct line {
  char *text; /* inside block.text; not NUL-terminated; may be changed in place by whoever holds the block */
  int64_t length; /* bytes; where too_long, the line's length while text is empty (NULL) */
  int64_t offset; /* of its first byte in the shard's decompressed bytes (of the mark, if it has one) */
  bool too_long;
};

/* Where a block lies, known also for a block that was passed over. */
struct block_border {
  int32_t shard;
  int32_t index;      /* 0, 1, … within the shard */
  int64_t first_line; /* number of its first line; the shard's first line is 1 */
  int64_t lines;
  int64_t first_offset; /* decompressed bytes */
  int64_t next_offset;
  char hash[33];     /* XXH3-128 of the block's decompressed bytes, line ends included, in hexadecimal */
  bool end_of_shard; /* no block follows */
  bool incomplete; /* the shard is damaged here: the block holds the whole lines before the damage, which may
                      be none; the line that the damage cut is not among them. Never together with
                      end_of_shard. */
};

struct block {
  struct block_border border;
  struct line *line; /* [border.lines] */
  char *text;
  size_t text_size, text_capacity;
  int64_t line_capacity;
  struct error
      damage; /* where border.incomplete: what byte_source said, with the shard's path and the line */
};

/* A zeroed struct block is an empty one. block_free leaves it zeroed. */
void block_free(struct block *block);

/* Bytes of memory that the block holds. */
size_t block_memory(const struct block *block);

struct block_reader;

/* What a block_reader reads. */
struct block_source {
  const char *path; /* as in byte_source_open */
  int64_t size; /* that the file must have when its end is read: one of another size is damaged at its end;
                   -1: any will do */
  const atomic_int *stop;       /* setting it ends a wait for standard input: BLOCK_FAILED; may be NULL */
  const struct byte_head *head; /* of standard input; may be NULL; must outlive the reader */
};

/* `shard` is the shard's number, put into every border. */
struct block_reader *block_reader_open(int32_t shard, const struct block_source *source,
                                       const struct block_limits *limits, struct error *error);

enum block_result { BLOCK_READ, BLOCK_END, BLOCK_FAILED };

/* Reads the next block, reusing the memory of `block`. An empty shard gives one block of 0 lines with
 * end_of_shard; after a block with end_of_shard or incomplete comes BLOCK_END. BLOCK_FAILED: the operating
 * system failed (ERROR_IO) or memory ran out; damage of the content is not a failure but an incomplete block.
 */
enum block_result block_reader_next(struct block_reader *reader, struct block *block, struct error *error);

/* Passes over the next block without keeping its lines; otherwise like block_reader_next. */
enum block_result block_reader_skip(struct block_reader *reader, struct block_border *border,
                                    struct error *error);

/* Goes straight to the block after `previous`, a border that an earlier run recorded. Works on plain files;
 * returns false without an error (ERROR_NONE) where the shard must be read through instead. */
bool block_reader_seek(struct block_reader *reader, const struct block_border *previous, struct error *error);

/* Index of the block that block_reader_next would read. */
int32_t block_reader_position(const struct block_reader *reader);

/* Bytes of the file that the blocks so far came from, for progress: not what was read ahead of them. Of a
 * compressed file an estimate; it falls at a seek only, and after the last block it is the file's size. */
int64_t block_reader_consumed(struct block_reader *reader);

void block_reader_close(struct block_reader *reader);
