/* The lines of a file of JSON lines, plain or compressed, one after the other. */
#pragma once

#include "io/block.h"

struct line_reader;

struct line_reader *line_reader_open(const char *path, struct error *error);
void line_reader_close(struct line_reader *reader);

/* Path of the file, and number (from 1) of the line read last: for sentences. */
const char *line_reader_path(const struct line_reader *reader);
int64_t line_reader_number(const struct line_reader *reader);

enum line_result { LINE_READ, LINE_END, LINE_FAILED };

/* The next line; *line is valid, and may be changed in place, until the next call. A line past
 * LINE_READER_MAX bytes has too_long set, as in struct line. Damage is LINE_FAILED. */
enum line_result line_reader_next(struct line_reader *reader, struct line *line, struct error *error);

#define LINE_READER_MAX ((int64_t)256 << 20) /* twice the longest line that a run takes: escapes grow */
