#include "host/job/utf8_check.h"

#include <string.h>

#include "io/json_scan.h"
#include "io/text.h"

bool utf8_check(const char *text, const char *what, struct error *error) {
  struct text quoted = {0};
  struct json_scan scan;
  struct json_value value;
  /* The scanner of JSON is the one that knows: a string of it is valid UTF-8. */
  text_append_json(&quoted, text, strlen(text));
  json_scan_start(&scan, quoted.bytes, (int64_t)quoted.size);
  const bool failed = quoted.failed, valid = !failed && json_scan_string(&scan, &value);
  text_free(&quoted);
  if (failed) return error_set_memory(error, strlen(text), what);
  return valid || error_set(error, ERROR_USAGE, "%s is not valid UTF-8", what);
}
