#include "io/run/stored_line.h"

#include <string.h>

#include "io/seekable_zst.h"

/* Costs nothing: a reader's memory grows with the lines that are there. */
#define LEAST ((int64_t)256 << 20)
#define ADDED ((int64_t)1 << 20) /* names and numbers, a reject's path and reason */
#define ESCAPE_BYTES 6           /* of a control character, as in a name of kept fields */

_Static_assert(LINE_FRAME_BYTES + 2 * MAX_LINE_MOST + ADDED <= SEEKABLE_FRAME_MAX,
               "the longest line fits into a frame");

int64_t stored_line_most(const struct run_settings *settings) {
  const int64_t names = settings->keep_fields ? (int64_t)strlen(settings->keep_fields) * ESCAPE_BYTES : 0;
  /* A manifest may hold any number. */
  const int64_t line = settings->max_line < SEEKABLE_FRAME_MAX ? settings->max_line : SEEKABLE_FRAME_MAX;
  const int64_t most = 2 * line + names + ADDED;
  if (most < LEAST) return LEAST;
  return most < SEEKABLE_FRAME_MAX ? most : SEEKABLE_FRAME_MAX;
}

/* A part is one block, so its lines take at most what the block's lines take. An older version's frame may be
 * as large as its part. */
static int64_t frame_most(const struct run_settings *settings) {
  const int64_t block =
      settings->block_bytes < SEEKABLE_FRAME_MAX ? 2 * settings->block_bytes : SEEKABLE_FRAME_MAX;
  const int64_t most = LINE_FRAME_BYTES + block + stored_line_most(settings);
  return most < SEEKABLE_FRAME_MAX ? most : SEEKABLE_FRAME_MAX;
}

struct line_reader *stored_lines_open(const char *path, enum folder folder,
                                      const struct run_settings *settings, struct error *error) {
  const struct line_limits limits = {.line = stored_line_most(settings)};
  if (folder == FOLDER_REJECTS) return line_reader_open(path, &limits, error);
  return line_reader_open_frames(path, &limits, frame_most(settings), error);
}
