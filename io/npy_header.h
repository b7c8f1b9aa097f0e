/* The header of NumPy's .npy, format version 1.0, for rows in C order: magic, version, the length of the
 * text, and the text, a Python dictionary with the type of a number and the shape (rows, width). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NPY_HEADER_MAX 128   /* bytes: the text has at most 84 characters, so two alignments always hold it */
#define NPY_HEADER_PREFIX 10 /* bytes before the text */

/* Writes the header as numpy.save does, for numbers of this type ("<f2"). Returns its size, a multiple of
 * 64. */
size_t npy_header_format(char header[NPY_HEADER_MAX], const char *type, int64_t rows, int32_t width);

/* Reads the prefix. *length: of the text that follows. False if it is not that of such a header. */
bool npy_header_prefix(const char prefix[NPY_HEADER_PREFIX], size_t *length);

/* Reads the shape from the text, which ends with a NUL; false if the text is anything but npy_header_format's
 * for this type. */
bool npy_header_parse(const char *text, const char *type, int64_t *rows, int32_t *width);
