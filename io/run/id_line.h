/* One line of OUT/ids: a row's id and the place of its document. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct id_line {
  char *id; /* decoded, inside the parsed line; not NUL-terminated */
  int64_t id_length;
  bool id_is_integer;
  int32_t shard;
  int64_t line, offset;
  int32_t tokens;
  bool truncated;
  bool is_chunk; /* the run cuts documents into chunks; otherwise `chunk` and `start` are 0 */
  int32_t chunk; /* number in its document */
  /* What was embedded of the text, in Unicode code points. `end` is 0 if that is the whole text, and the row
   * is no chunk. */
  int64_t start, end;
};

/* Parses a line in place; false if it is not such a line. */
bool id_line_parse(char *line, int64_t length, struct id_line *parsed);
