/* Configuration files: `name = value` lines. A value can hold any string.
 *
 *     ; a comment has its own line, which begins with ; or #
 *     [embed]
 *     title-field = title
 *     prompt      = "passage: "
 *
 * A value is the rest of the line without the blanks around it. The characters ; and # and quotes inside a
 * value belong to the value. If a value begins with a double quote, it must end with one; everything between
 * the two quotes is kept, also blanks at both ends. Inside the quotes, \" \\ \n \t and \r stand for a quote,
 * a backslash, a line feed, a tab and a carriage return. Blanks before a name, a line's last carriage return
 * and the file's byte order mark are ignored. */
#pragma once

#include <stdbool.h>

#include "io/error.h"

#define INI_LINE_MAX (1 << 20)   /* bytes in a line; longer than any prompt */
#define INI_BYTES_MAX (16 << 20) /* bytes in a file */

/* Takes one value. `section` is "" before the first section. The strings are valid during the call. To stop
 * reading, return false with *error filled. */
typedef bool ini_fn(void *context, const char *section, const char *name, const char *value,
                    struct error *error);

/* The same for a [section] line. */
typedef bool ini_section_fn(void *context, const char *section, struct error *error);

/* Reads a whole file. Each error names the file and, if a line is wrong, the line. */
bool ini_read(const char *path, ini_section_fn *section, ini_fn *value, void *context, struct error *error);
