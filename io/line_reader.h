/* The lines of a text file or of standard input, plain or compressed, one after the other. The longest
 * accepted line bounds the reader's memory, whatever the file holds. (Shards are read by block:
 * io/block.h.) */
#pragma once

#include "io/block.h"

struct line_reader;

struct line_limits {
  int64_t line;  /* longest accepted line, in bytes */
  int64_t total; /* all the text, in bytes; 0: no limit */
};

/* `path` is a file, or "-" for standard input; the first bytes are read here. */
struct line_reader *line_reader_open(const char *path, const struct line_limits *limits, struct error *error);

/* Opens a file in zstd's seekable format (io/seekable_zst.h). No line is given before the checksum of its
 * whole frame has been found right, so a damaged line is never read; only for files that nina wrote, because
 * a shard's frame may be as large as the shard. A frame of more than `frame_most` bytes is ERROR_INPUT. */
struct line_reader *line_reader_open_frames(const char *path, const struct line_limits *limits,
                                            int64_t frame_most, struct error *error);

/* As byte_source_open_keeping, for a stream that another reader will read again from its start. */
struct line_reader *line_reader_open_keeping(const char *path, const struct line_limits *limits,
                                             const atomic_int *stop, struct byte_head *keep,
                                             struct error *error);

void line_reader_close(struct line_reader *reader);

enum line_result { LINE_READ, LINE_END, LINE_FAILED };

/* Gives the next line without its LF or CRLF, and without the byte order mark that may open a file;
 * line->text[line->length] is NUL. The line is valid, and may be changed in place, until the next call.
 * LINE_FAILED if the file cannot be read or is damaged, or if a line is too long, or if the text is too much.
 * The error sentence names the file, and the line if one line is the cause. */
enum line_result line_reader_next(struct line_reader *reader, struct line *line, struct error *error);

/* The same, but a line that is too long is given with too_long set, as in struct line. */
enum line_result line_reader_next_any(struct line_reader *reader, struct line *line, struct error *error);

/* True if the line is a string, without a NUL inside. */
bool line_is_string(const struct line_reader *reader, const struct line *line, struct error *error);

/* The file's name, or "standard input", and the number of the last line (from 1): for error sentences. */
const char *line_reader_name(const struct line_reader *reader);
int64_t line_reader_number(const struct line_reader *reader);

/* Bytes of text read so far, those of no line yet with them. */
int64_t line_reader_bytes(const struct line_reader *reader);

/* True if line_reader_go takes no time: a plain file. */
bool line_reader_can_seek(const struct line_reader *reader);

/* Goes to the line number `number`, which begins `offset` bytes into the decompressed text. Only for a reader
 * that has given no line yet. */
bool line_reader_go(struct line_reader *reader, int64_t offset, int64_t number, struct error *error);
