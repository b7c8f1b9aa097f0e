/* vocab.json and merges.txt, RoBERTa's files before tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "host/model/byte_bpe_read.h"
#include "io/file.h"

#define MERGES_BYTES_MAX ((size_t)256 << 20)

/* One merge a line, the first with rank 0. Lines that begin with "#version" are none. */
static bool lines_put(struct tokenizer_source *source, const char *path, const char *bytes, size_t size,
                      struct error *error) {
  static const char version[] = "#version";
  const char *line = bytes, *const end = bytes + size;
  for (long number = 1; line < end; number++) {
    const char *stop = memchr(line, '\n', (size_t)(end - line)), *const next = stop ? stop + 1 : end;
    if (!stop) stop = end;
    if (stop > line && stop < next && stop[-1] == '\r') stop--;
    const size_t length = (size_t)(stop - line);
    const bool is_version = length >= sizeof version - 1 && memcmp(line, version, sizeof version - 1) == 0;
    if (!is_version && !byte_merge_put_line(source, line, length, error))
      return error_prefix(error, "%s:%ld", path, number);
    line = next;
  }
  return true;
}

static bool merges_put(const char *folder, struct tokenizer_source *source, struct error *error) {
  char *path = file_join(folder, TOKENIZER_MERGES), *bytes = NULL;
  size_t size;
  if (!path) return error_set_memory(error, strlen(folder) + sizeof TOKENIZER_MERGES + 1, "a path");
  const bool done =
      file_read(path, MERGES_BYTES_MAX, &bytes, &size, error) && lines_put(source, path, bytes, size, error);
  free(bytes);
  free(path);
  return done;
}

bool tokenizer_merges_read(struct added_files *files, struct tokenizer_source *source, struct error *error) {
  struct config_file file;
  if (!config_file_read(files->folder, TOKENIZER_VOCAB, CONFIG_REQUIRED, &file, error)) return false;
  const bool done = byte_pieces_put(&file, "vocabulary", file.root, NULL, source, error) &&
                    merges_put(files->folder, source, error) && byte_class_settings(files, source, error);
  config_file_free(&file);
  if (done) byte_source_finish(source);
  return done;
}
