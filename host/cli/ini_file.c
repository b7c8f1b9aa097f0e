#include "host/cli/ini_file.h"

#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/line_reader.h"

#define BLANKS " \t\r\n\v\f"

/* Removes the blanks around a text, in place. */
static char *trim(char *text) {
  text += strspn(text, BLANKS);
  size_t length = strlen(text);
  while (length > 0 && strchr(BLANKS, text[length - 1])) length--;
  text[length] = '\0';
  return text;
}

/* Decodes a quoted value in place. `value` begins with a quote and is trimmed. */
static bool unquote(char *value, struct error *error) {
  static const char letters[] = "\"\\ntr", meant[] = "\"\\\n\t\r";
  char *to = value;
  const char *from = value + 1;
  for (; *from && *from != '"'; from++) {
    if (*from != '\\') {
      *to++ = *from;
      continue;
    }
    if (!*++from) break;
    const char *letter = strchr(letters, *from);
    if (!letter)
      return error_set(error, ERROR_USAGE,
                       "a backslash in a quoted value stands before \", \\, n, t or r, not before \"%.1s\"",
                       from);
    *to++ = meant[letter - letters];
  }
  if (!*from)
    return error_set(error, ERROR_USAGE, "the value begins with a double quote and does not end with one");
  if (from[1])
    return error_set(
        error, ERROR_USAGE,
        "\"%.60s\" after the closing quote: a quoted value ends its line, and a comment stands on "
        "a line of its own",
        trim((char *)(uintptr_t)(from + 1)));
  *to = '\0';
  return true;
}

struct ini_reader {
  char *section; /* allocated; NULL before the first section */
  ini_section_fn *take_section;
  ini_fn *take_value;
  void *context;
};

static bool line_unknown(struct error *error) {
  return error_set(error, ERROR_USAGE, "neither `key = value`, a [section] nor a comment");
}

/* `line` is trimmed and begins with a bracket. */
static bool read_section(struct ini_reader *reader, char *line, struct error *error) {
  char *end = strchr(line, ']');
  if (!end || end[1]) return line_unknown(error);
  *end = '\0';
  char *name = strdup(trim(line + 1));
  if (!name) return error_set_memory(error, strlen(line), "a section's name");
  free(reader->section);
  reader->section = name;
  return reader->take_section(reader->context, name, error);
}

static bool read_line(struct ini_reader *reader, char *line, struct error *error) {
  line = trim(line);
  if (!*line || *line == ';' || *line == '#') return true;
  if (*line == '[') return read_section(reader, line, error);
  char *equals = strchr(line, '=');
  if (!equals) return line_unknown(error);
  *equals = '\0';
  char *name = trim(line), *value = trim(equals + 1);
  if (*value == '"' && !unquote(value, error)) return false;
  return reader->take_value(reader->context, reader->section ? reader->section : "", name, value, error);
}

static bool read_lines(struct ini_reader *reader, struct line_reader *lines, struct error *error) {
  struct line line;
  enum line_result result;
  while ((result = line_reader_next(lines, &line, error)) == LINE_READ) {
    if (!line_is_string(lines, &line, error)) return false;
    if (!read_line(reader, line.text, error))
      return error_prefix(error, "%s, line %lld", line_reader_name(lines),
                          (long long)line_reader_number(lines));
  }
  return result == LINE_END;
}

bool ini_read(const char *path, ini_section_fn *section, ini_fn *value, void *context, struct error *error) {
  const struct line_limits limits = {.line = INI_LINE_MAX, .total = INI_BYTES_MAX};
  struct ini_reader reader = {.take_section = section, .take_value = value, .context = context};
  if (!file_check_file(path, error)) return false;
  struct line_reader *lines = line_reader_open(path, &limits, error);
  const bool ok = lines && read_lines(&reader, lines, error);
  if (!ok && error->code == ERROR_INPUT) error->code = ERROR_USAGE; /* the file belongs to the command line */
  line_reader_close(lines);
  free(reader.section);
  return ok;
}
