/* What nina prints for people, on a terminal perhaps: texts of documents, names of files and error sentences
 * may hold anything, and none of it may steer the terminal or turn what is read around. Control characters
 * (C0, DEL, C1, the line and paragraph separators), the marks that set the direction of text, and bytes that
 * are no UTF-8 are printed as \n, \t, \x1b or \u202e. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Prints one line, its end included. */
void say_line(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether a line for standard output was lost because memory was short. */
bool say_failed(void);

/* Prints a notice or an error to standard error: "nina: <sentence>". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Length of the character at the start of `bytes` (size > 0), and whether it may be printed as it is. */
size_t say_character(const char *bytes, size_t size, bool *printable);
