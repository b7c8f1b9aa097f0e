/* The lines of a text file or of standard input, plain or compressed, one after the other. What a reader
 * holds is bounded by the longest line that it takes, whatever the file holds. (Shards are read by block
 * instead: io/block.h.) */
#pragma once

#include "io/block.h"

struct line_reader;

struct line_limits {
  int64_t line;  /* bytes of the longest line that is taken */
  int64_t total; /* bytes of all the text; 0: any number */
};

/* `path` is a file, or "-" for standard input, of which the first bytes are read here. */
struct line_reader *line_reader_open(const char *path, const struct line_limits *limits, struct error *error);

/* As byte_source_open_keeping: of a stream that somebody else reads from its start afterwards. *stop as in
 * byte_source_open_until. */
struct line_reader *line_reader_open_keeping(const char *path, const struct line_limits *limits,
                                             const atomic_int *stop, struct error *error);
void line_reader_take_head(struct line_reader *reader, struct byte_head *head);

void line_reader_close(struct line_reader *reader);

enum line_result { LINE_READ, LINE_END, LINE_FAILED };

/* The next line, without its LF or CRLF and without the byte order mark that may open a file; line->text[
 * line->length] is NUL. Valid, and may be changed in place, until the next call. LINE_FAILED where the file
 * cannot be read or is damaged, holds a line that is too long, or too much text; the sentence names the file,
 * and the line where one is at fault. */
enum line_result line_reader_next(struct line_reader *reader, struct line *line, struct error *error);

/* The same; a line that is too long is given with too_long set, as in struct line. */
enum line_result line_reader_next_any(struct line_reader *reader, struct line *line, struct error *error);

/* True where the line is a string, without a NUL inside it. */
bool line_is_string(const struct line_reader *reader, const struct line *line, struct error *error);

/* The file, or "standard input", and the number of the line read last (from 1): for sentences. */
const char *line_reader_name(const struct line_reader *reader);
int64_t line_reader_number(const struct line_reader *reader);

/* True where line_reader_go takes no time: a plain file. */
bool line_reader_can_seek(const struct line_reader *reader);

/* On a reader that has not been read from: goes to the line number `number`, which begins `offset` bytes into
 * the decompressed text. */
bool line_reader_go(struct line_reader *reader, int64_t offset, int64_t number, struct error *error);
