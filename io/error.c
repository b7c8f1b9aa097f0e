#include "io/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  error->code = code;
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return false;
}

bool error_set_errno(struct error *error, const char *format, ...) {
  const int number = errno;
  va_list arguments;
  va_start(arguments, format);
  error->code = ERROR_IO;
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  const size_t used = strlen(error->message);
  char text[128];
  snprintf(error->message + used, sizeof error->message - used, ": %s",
           strerror_r(number, text, sizeof text));
  return false;
}

bool error_set_memory(struct error *error, size_t bytes, const char *purpose) {
  return bytes ? error_set(error, ERROR_MEMORY, "out of memory: %zu bytes for %s", bytes, purpose)
               : error_set(error, ERROR_MEMORY, "out of memory for %s", purpose);
}

bool error_prefix(struct error *error, const char *format, ...) {
  struct error whole = {.code = error->code};
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(whole.message, sizeof whole.message, format, arguments);
  va_end(arguments);
  const size_t used = strlen(whole.message);
  /* Cut on purpose: a message longer than the room ends early. */
  snprintf(whole.message + used, sizeof whole.message - used, ": %.*s", (int)(sizeof whole.message - 3),
           error->message);
  *error = whole;
  return false;
}

bool error_append(struct error *error, const char *format, ...) {
  char words[sizeof error->message / 2];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(words, sizeof words, format, arguments);
  va_end(arguments);
  const size_t length = strlen(error->message), more = strlen(words) + 2;
  const size_t most = sizeof error->message - 1 - more;
  snprintf(error->message + (length < most ? length : most), more + 1, "; %s", words);
  return false;
}
