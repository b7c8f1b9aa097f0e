/* Fuzzes the reader of .ini files. What it takes from a file, written again with every value in quotes, is
 * read as the same. */
#include "host/cli/ini_file.h"
#include "io/text.h"
#include "tests/fuzz/harness.h"

/* What was read: all of it in order, and the same as an .ini file. */
struct reading {
  struct text log, copy;
};

static void quoted(struct text *text, const char *value) {
  static const char special[] = "\"\\\n\t\r", letter[] = "\"\\ntr";
  text_append_string(text, "\"");
  for (; *value; value++) {
    const char *found = strchr(special, *value);
    if (found) text_append_string(text, "\\");
    text_append(text, found ? &letter[found - special] : value, 1);
  }
  text_append_string(text, "\"");
}

static bool take_section(void *context, const char *section, struct error *error) {
  (void)error;
  struct reading *reading = context;
  text_append_string(&reading->copy, "  [ ");
  text_append_string(&reading->copy, section);
  text_append_string(&reading->copy, " ]\r\n; a comment\n");
  text_append_string(&reading->log, "\nsection ");
  text_append_string(&reading->log, section);
  return true;
}

static bool take_value(void *context, const char *section, const char *name, const char *value,
                       struct error *error) {
  (void)error;
  struct reading *reading = context;
  text_append_string(&reading->copy, name);
  text_append_string(&reading->copy, "\t= ");
  quoted(&reading->copy, value);
  text_append_string(&reading->copy, "\n");
  const char *const part[] = {"\nvalue ", section, "\n", name, "\n", value};
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) text_append_string(&reading->log, part[i]);
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct reading first = {0}, second = {0};
  struct error error = {0};
  text_append_string(&first.copy, "\n"); /* a byte order mark of a name is not the file's */
  if (!ini_read(scratch_file("a.ini", data, size), take_section, take_value, &first, &error)) {
    require_sentence(&error);
    /* memory: a compressed file may ask for a large window */
    REQUIRE(error.code == ERROR_USAGE || error.code == ERROR_INPUT || error.code == ERROR_MEMORY);
  } else {
    const char *path = scratch_file("b.ini", first.copy.bytes, first.copy.size);
    REQUIRE(ini_read(path, take_section, take_value, &second, &error));
    REQUIRE(first.log.size == second.log.size);
    REQUIRE(!first.log.size || memcmp(first.log.bytes, second.log.bytes, first.log.size) == 0);
  }
  text_free(&first.log);
  text_free(&first.copy);
  text_free(&second.log);
  text_free(&second.copy);
  return 0;
}
