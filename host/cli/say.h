/* Prints text for people, perhaps on a terminal. Documents, file names and error sentences may hold any
 * bytes, but must not steer the terminal or change the order in which text is read. Control characters (C0,
 * DEL, C1, the line and paragraph separators), marks that set the text direction, and bytes that are not
 * UTF-8 are printed in the form \n, \t, \x1b or \u202e. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "io/text.h"

/* Prints one line, including the line end. */
void say_line(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints one summary line: two spaces, `name` padded to 11 columns, and the text. */
void say_named(FILE *stream, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* True if a line for standard output was lost because memory was short. */
bool say_failed(void);

/* Prints a notice or an error to standard error: "nina: <sentence>". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Appends a sentence as the functions above print it, without the line end: it is valid UTF-8 then. */
void say_spell(struct text *text, const char *sentence);

/* Returns the first character's length in bytes (size > 0). *printable: the character may be printed
 * unchanged. */
size_t say_character(const char *bytes, size_t size, bool *printable);
