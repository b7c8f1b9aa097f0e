/* The one error type.
 *
 * If a function can fail, it returns bool (or a pointer). When it returns false (or NULL), it has filled the
 * caller's struct error: a code for programs, and one sentence for a person that says what was wrong, in
 * which place, and what was expected or what to do. No library of this project prints, exits or aborts on
 * input. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum error_code {
  ERROR_NONE = 0,
  ERROR_USAGE,       /* the command line or a configuration file asks for something impossible */
  ERROR_INPUT,       /* a file's content breaks its format */
  ERROR_IO,          /* the operating system refused */
  ERROR_MEMORY,      /* an allocation failed */
  ERROR_CONFLICT,    /* the output folder belongs to another run */
  ERROR_UNSUPPORTED, /* a valid model or format that this program cannot handle */
  ERROR_DEVICE,      /* an encoder or its device failed */
};

/* Room for a sentence that names two paths of any length. */
#define SENTENCE_BYTES (2 * PATH_MAX + 1024)

struct error {
  enum error_code code;
  char message[SENTENCE_BYTES];
};

/* Fills `error` (a longer message is cut, and ends in "…") and returns false, so that `return error_set(...)`
 * reads well. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set with ERROR_IO; adds ": " and the text of errno at the call. */
bool error_set_errno(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ERROR_MEMORY: "out of memory: <bytes> bytes for <purpose>". */
bool error_set_memory(struct error *error, size_t bytes, const char *purpose);

/* Puts "<prefix>: " before the present message; returns false. */
bool error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "; <words>" after the message that is already there, which is cut if need be; returns false. */
bool error_append(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
