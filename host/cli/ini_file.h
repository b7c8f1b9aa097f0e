/* Configuration files: `name = value` lines in which every string can be said.
 *
 *     ; a comment is a line of its own that begins with ; or #
 *     [embed]
 *     title-field = title
 *     prompt      = "passage: "
 *
 * A value is the rest of its line without the blanks around it; ; and # and quotes inside it are part of it.
 * A value that begins with a double quote ends with one, and all between the two is kept, blanks at its ends
 * too; there \" \\ \n \t and \r stand for a quote, a backslash, a line feed, a tab and a carriage return.
 * Blanks before a name, carriage returns at line ends and a byte order mark at the file's start mean
 * nothing. */
#pragma once

#include <stdbool.h>

#include "io/error.h"

#define INI_LINE_MAX (1 << 20)   /* bytes of a line: no prompt is as long */
#define INI_BYTES_MAX (16 << 20) /* of a file */

/* Takes one value; `section` is "" before the first. The strings are valid during the call. False, with
 * *error filled, ends the reading. */
typedef bool ini_fn(void *context, const char *section, const char *name, const char *value,
                    struct error *error);

/* The same for a section's line. */
typedef bool ini_section_fn(void *context, const char *section, struct error *error);

/* Reads a file from its start to its end. Every error names the file and, if a line is at fault, the line. */
bool ini_read(const char *path, ini_section_fn *section, ini_fn *value, void *context, struct error *error);
