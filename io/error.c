#include "io/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/text.h"

#define CUT "…"

/* Writes from byte `used` of the message on. */
__attribute__((format(printf, 3, 0))) static void message_write(struct error *error, size_t used,
                                                                const char *format, va_list arguments) {
  const size_t room = sizeof error->message - used;
  if (vsnprintf(error->message + used, room, format, arguments) < (int)room) return;
  const size_t most = sizeof error->message - sizeof CUT;
  strcpy(error->message + text_cut(error->message, sizeof error->message - 1, most), CUT);
}

__attribute__((format(printf, 3, 4))) static void message_add(struct error *error, size_t used,
                                                              const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  message_write(error, used, format, arguments);
  va_end(arguments);
}

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  error->code = code;
  message_write(error, 0, format, arguments);
  va_end(arguments);
  return false;
}

bool error_set_errno(struct error *error, const char *format, ...) {
  const int number = errno;
  va_list arguments;
  va_start(arguments, format);
  error->code = ERROR_IO;
  message_write(error, 0, format, arguments);
  va_end(arguments);
  char text[128];
  message_add(error, strlen(error->message), ": %s", strerror_r(number, text, sizeof text));
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
  message_write(&whole, 0, format, arguments);
  va_end(arguments);
  message_add(&whole, strlen(whole.message), ": %s", error->message);
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
  snprintf(error->message + text_cut(error->message, length, most), more + 1, "; %s", words);
  return false;
}
