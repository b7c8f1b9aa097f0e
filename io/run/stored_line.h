/* How long a line of a run's files may be: of ids/, text/, fields/ and rejects/.
 *
 * A stored string is never longer than the JSON that it was read from: what nina escapes must be escaped in
 * the input too, with as many bytes or more. So a stored line takes at most its input line, twice if text and
 * title are one field, and what nina adds. */
#pragma once

#include "io/line_reader.h"
#include "io/run/identity.h"
#include "io/run/layout.h"

/* Largest --max-line: every stored line fits into a frame, behind the frame's other lines. */
#define MAX_LINE_MOST ((int64_t)1000 << 20)

/* A frame of lines ends after the line that takes it to so many bytes. */
#define LINE_FRAME_BYTES ((int64_t)32 << 20)

/* Longest line that a run with these settings stores. All readers of its files take it as their limit. */
int64_t stored_line_most(const struct run_settings *settings);

/* Opens a part's file of lines in `folder`. A line of ids/, text/ or fields/ is given only after its frame
 * has been checked; rejects/ is plain text. */
struct line_reader *stored_lines_open(const char *path, enum folder folder,
                                      const struct run_settings *settings, struct error *error);
