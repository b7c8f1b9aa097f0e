/* vocab.txt: a WordPiece vocabulary, one piece a line; the line's number is its id. As in Hugging Face's
 * tokenizers, white space at a line's end does not count. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "host/model/characters.h"
#include "host/model/utf8.h"
#include "host/model/wordpiece_source.h"
#include "io/file.h"

#define VOCAB_BYTES_MAX ((size_t)256 << 20)

static bool utf8_check(const char *path, const char *bytes, size_t size, struct error *error) {
  int64_t line = 1;
  for (size_t at = 0; at < size;) {
    utf8proc_int32_t code_point;
    const utf8proc_ssize_t step =
        utf8proc_iterate((const utf8proc_uint8_t *)bytes + at, (utf8proc_ssize_t)(size - at), &code_point);
    if (step <= 0)
      return error_set(error, ERROR_INPUT, "%s: line %lld is not UTF-8; expected a piece a line", path,
                       (long long)line);
    line += code_point == '\n';
    at += (size_t)step;
  }
  return true;
}

/* Without the white space at its end. */
static size_t line_trim(const char *line, size_t length) {
  size_t size;
  while (length > 0 && character_is_space(utf8_read_before(line, length, &size))) length -= size;
  return length;
}

static int64_t lines_count(const char *bytes, size_t size) {
  int64_t count = size > 0 && bytes[size - 1] != '\n';
  for (size_t i = 0; i < size; i++) count += bytes[i] == '\n';
  return count;
}

static bool lines_read(const struct added_files *files, const char *path, const char *bytes, size_t size,
                       struct tokenizer_source *source, struct error *error) {
  struct wordpiece_settings settings;
  const int64_t lines = lines_count(bytes, size);
  if (lines > TOKENIZER_PIECES_MAX)
    return error_set(error, ERROR_INPUT, "%s: more than %d pieces", path, TOKENIZER_PIECES_MAX);
  struct wordpiece_piece *pieces = calloc((size_t)lines + 1, sizeof *pieces);
  if (!pieces) return error_set_memory(error, ((size_t)lines + 1) * sizeof *pieces, "the pieces");
  const char *line = bytes, *const end = bytes + size;
  for (int64_t i = 0; i < lines; i++) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop) stop = end;
    pieces[i] = (struct wordpiece_piece){line, line_trim(line, (size_t)(stop - line))};
    line = stop + 1;
  }
  const int32_t count = (int32_t)lines;
  const bool done =
      wordpiece_source_class(files, &settings, error) &&
      (wordpiece_source_fill(source, pieces, count, &settings, error) || error_prefix(error, "%s", path)) &&
      special_around(files, source, error) && wordpiece_source_seal(source, pieces, count, &settings, error);
  free(pieces);
  return done;
}

bool tokenizer_vocab_read(const struct added_files *files, struct tokenizer_source *source,
                          struct error *error) {
  char *path = file_join(files->folder, TOKENIZER_VOCAB_TXT), *bytes = NULL;
  size_t size;
  if (!path) return error_set_memory(error, strlen(files->folder) + sizeof TOKENIZER_VOCAB_TXT + 1, "a path");
  const bool done = file_read(path, VOCAB_BYTES_MAX, &bytes, &size, error) &&
                    utf8_check(path, bytes, size, error) &&
                    lines_read(files, path, bytes, size, source, error);
  free(bytes);
  free(path);
  return done;
}
