#include "host/job/utf8_check.h"

#include <string.h>

#include "io/json_scan.h"

bool utf8_check_bytes(const char *bytes, int64_t length) {
  return utf8_is_valid(bytes, length);
}

bool utf8_check(const char *text, const char *what, struct error *error) {
  return utf8_is_valid(text, (int64_t)strlen(text)) ||
         error_set(error, ERROR_USAGE, "%s is not valid UTF-8", what);
}
