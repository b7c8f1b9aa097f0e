/* Blocks: consecutive lines of one shard, the unit of claim, commit and resume.
 *
 * A block ends before the line that would take it past `lines` lines or `bytes` decompressed bytes (line ends
 * counted). If a single line is longer than `bytes`, this line is a block alone. Block borders depend only on
 * the shard's bytes and these limits, so every reader finds the same blocks at any time. Blank lines and
 * lines that will be rejected belong to their block. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "io/byte_source.h"
#include "io/error.h"

/* A reader holds at most the larger of `bytes` and `max_line` for one line, so memory is bounded whatever a
 * shard holds. */
struct block_limits {
  int64_t lines;    /* at least 1 */
  int64_t bytes;    /* at least 1 */
  int64_t max_line; /* at least 1; a line with a longer text is skipped, and its too_long is set */
};

/* One line without its LF or CRLF, and without a byte order mark at its start. (A mark opens a file; if a
 * shard was made from several files, any line may begin with a mark.) If the shard's last line has no LF, a
 * lone CR at its end is removed as well. `text` points into block.text; the block's owner may change the text
 * in place. If the line is too long, `text` is NULL and `length` is still the line's length. */
struct line {
  char *text;     /* not NUL-terminated */
  int64_t length; /* bytes */
  int64_t offset; /* first byte (the mark's, if there is one) in the shard's decompressed bytes */
  bool too_long;
};

/* The place of a block, known for a skipped block too.
 *
 * A block is `incomplete` if the shard is damaged inside or right after it. Such a block holds the whole
 * lines before the damage (maybe none), without the line that the damage cuts. A block is never both
 * incomplete and end_of_shard. */
struct block_border {
  int32_t shard;
  int32_t index;      /* 0, 1, … within the shard */
  int64_t first_line; /* line number; the shard's first line is 1 */
  int64_t lines;
  int64_t first_offset; /* decompressed bytes */
  int64_t next_offset;
  char hash[33];     /* XXH3-128 of the decompressed bytes with line ends, in hexadecimal */
  bool end_of_shard; /* last block of the shard */
  bool incomplete;   /* the shard is damaged here */
};

struct block {
  struct block_border border;
  struct line *line; /* [border.lines] */
  char *text;
  size_t text_size, text_capacity;
  int64_t line_capacity;
  struct error damage; /* if border.incomplete: byte_source's sentence with the shard's path and the line */
};

/* A zeroed struct block is an empty block. block_free leaves the struct zeroed. */
void block_free(struct block *block);

/* Bytes of memory that the block holds. */
size_t block_memory(const struct block *block);

struct block_reader;

/* The input of a block_reader. If the file's size at its end is not `size`, the shard counts as damaged at
 * its end. If the file no longer has its fingerprint after a block was read, it counts as damaged there: this
 * block, and blocks read later, may be of other lines. Soon after *stop is set, reading ends with
 * BLOCK_FAILED. `head` must outlive the reader. */
struct block_source {
  const char *path;             /* as in byte_source_open */
  int64_t size;                 /* expected size of the file; -1: any */
  const char *fingerprint;      /* expected (io/file_watch.h); NULL or empty: any */
  const atomic_int *stop;       /* may be NULL */
  const struct byte_head *head; /* first bytes of standard input; may be NULL */
};

/* `shard` is the shard's number; every border carries this number. */
struct block_reader *block_reader_open(int32_t shard, const struct block_source *source,
                                       const struct block_limits *limits, struct error *error);

enum block_result { BLOCK_READ, BLOCK_END, BLOCK_FAILED };

/* Reads the next block and reuses the memory of `block`. An empty shard gives one block with 0 lines and
 * end_of_shard. After a block with end_of_shard or incomplete comes BLOCK_END. BLOCK_FAILED: the operating
 * system failed (ERROR_IO) or memory ran out. Damaged content is not a failure; it gives an incomplete
 * block. */
enum block_result block_reader_next(struct block_reader *reader, struct block *block, struct error *error);

/* Skips the next block without keeping its lines; otherwise like block_reader_next. */
enum block_result block_reader_skip(struct block_reader *reader, struct block_border *border,
                                    struct error *error);

/* True if the file no longer has its size or its fingerprint, as far as it was read. */
bool block_reader_changed(const struct block_reader *reader);

/* After an incomplete block was skipped: makes `block` the block `index`, which lies
 * at the reader's position or behind it, and cannot be found any more. It has no line and is incomplete. It
 * begins where `previous`, the block before, ends. If that is NULL, this is not known, and the block has the
 * least line and offset that its number allows. */
void block_reader_give_up(const struct block_reader *reader, int32_t index,
                          const struct block_border *previous, struct block *block);

/* Goes straight to the block after `previous`, a border recorded by an earlier run. Works on plain files. If
 * the shard must be read through instead, returns false without an error (ERROR_NONE), also if the file has
 * become too short: then a skip meets the change. */
bool block_reader_seek(struct block_reader *reader, const struct block_border *previous, struct error *error);

/* True after the shard's last block, or the block before its damage. */
bool block_reader_ended(const struct block_reader *reader);

/* Index of the block that block_reader_next would read. */
int32_t block_reader_position(const struct block_reader *reader);

/* File bytes behind the blocks given so far, for progress; bytes read ahead do not count. For a compressed
 * file this is an estimate. The number falls only at a seek, and is the file's size after the last block. */
int64_t block_reader_consumed(struct block_reader *reader);

void block_reader_close(struct block_reader *reader);
