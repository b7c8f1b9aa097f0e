#include "tests/bench/passages.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/byte_source.h"
#include "io/file_writer.h"
#include "io/seekable_zst.h"

#define FRAME_BYTES ((size_t)1 << 20)
#define READ_BYTES ((size_t)1 << 16)
#define SOURCE_MOST ((size_t)64 << 20) /* decompressed */
#define LEVEL 1

/* Bytes that grow; a zeroed struct is empty. */
struct bytes {
  char *start;
  size_t size, capacity;
};

static bool bytes_reserve(struct bytes *bytes, size_t more, struct error *error) {
  if (bytes->size + more <= bytes->capacity) return true;
  const size_t capacity = 2 * (bytes->size + more);
  char *grown = realloc(bytes->start, capacity);
  if (!grown) return error_set_memory(error, capacity, "texts");
  bytes->start = grown;
  bytes->capacity = capacity;
  return true;
}

static bool bytes_append(struct bytes *bytes, const char *from, size_t size, struct error *error) {
  if (!bytes_reserve(bytes, size, error)) return false;
  memcpy(bytes->start + bytes->size, from, size);
  bytes->size += size;
  return true;
}

/* --- Words ---------------------------------------------------------------------------------------------- */

/* Every word from the sources in order, each followed by one space or line break. */
struct words {
  struct bytes text;
  int64_t *start; /* [count + 1] into text */
  int64_t count;
};

static void words_free(struct words *words) {
  free(words->text.start);
  free(words->start);
}

static bool source_read(const char *path, struct bytes *all, struct error *error) {
  struct byte_source *source = byte_source_open(path, error);
  int64_t got = source ? 1 : -1;
  while (got > 0 && all->size <= SOURCE_MOST) {
    if (!bytes_reserve(all, READ_BYTES, error)) break;
    got = byte_source_read(source, all->start + all->size, READ_BYTES, error);
    if (got > 0) all->size += (size_t)got;
  }
  byte_source_close(source);
  if (got > 0 && all->size > SOURCE_MOST)
    return error_set(error, ERROR_USAGE, "%s is larger than a source may be", path);
  return got == 0 && bytes_append(all, "", 1, error);
}

static bool line_add(struct words *words, const char *line, const char *path, struct error *error) {
  json_t *document = json_loads(line, 0, NULL);
  const char *text = json_string_value(json_object_get(document, "text"));
  const bool done = text ? bytes_append(&words->text, text, strlen(text), error) &&
                               bytes_append(&words->text, "\n", 1, error)
                         : error_set(error, ERROR_INPUT, "%s: a line without a text", path);
  json_decref(document);
  return done;
}

static bool words_read(struct words *words, const char *path, struct error *error) {
  struct bytes all = {.start = NULL};
  char *rest = NULL;
  bool done = source_read(path, &all, error);
  for (char *line = done ? strtok_r(all.start, "\n", &rest) : NULL; line && done;
       line = strtok_r(NULL, "\n", &rest))
    done = line_add(words, line, path, error);
  free(all.start);
  return done;
}

static bool is_space(char byte) {
  return byte == ' ' || byte == '\n';
}

/* Finds each word's start; a run of spaces belongs to the word before. */
static bool words_split(struct words *words, struct error *error) {
  const struct bytes *text = &words->text;
  words->start = malloc((text->size + 2) * sizeof *words->start);
  if (!words->start) return error_set_memory(error, text->size * sizeof *words->start, "words");
  for (size_t i = 0; i < text->size; i++)
    if (!is_space(text->start[i]) && (i == 0 || is_space(text->start[i - 1])))
      words->start[words->count++] = (int64_t)i;
  words->start[words->count] = (int64_t)text->size;
  return words->count > 0 || error_set(error, ERROR_INPUT, "the sources have no words");
}

/* --- Documents ------------------------------------------------------------------------------------------ */

static uint64_t random_next(uint64_t *state) { /* splitmix64 */
  uint64_t x = *state += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* Appends document `number` as a line. If the document is longer than the sources, it continues at their
 * beginning. */
static bool document_append(struct bytes *out, const struct words *words,
                            const struct passages_wanted *wanted, int64_t number, struct bytes *text,
                            struct error *error) {
  uint64_t seed = (uint64_t)number;
  const uint64_t range = (uint64_t)(wanted->words_most - wanted->words_least + 1);
  int64_t left = wanted->words_least + (int64_t)(random_next(&seed) % range);
  int64_t first = (int64_t)(random_next(&seed) % (uint64_t)words->count);
  text->size = 0;
  for (; left > 0; first = 0) {
    const int64_t count = words->count - first < left ? words->count - first : left;
    const int64_t begin = words->start[first], end = words->start[first + count];
    if (!bytes_append(text, words->text.start + begin, (size_t)(end - begin), error)) return false;
    left -= count;
  }
  while (text->size > 0 && is_space(text->start[text->size - 1])) text->size--;
  char id[32];
  snprintf(id, sizeof id, "p%07lld", (long long)number);
  json_t *document = json_pack("{s:s, s:s#}", "id", id, "text", text->start, (int)text->size);
  char *line = document ? json_dumps(document, JSON_COMPACT) : NULL;
  json_decref(document);
  const bool done = line ? bytes_append(out, line, strlen(line), error) && bytes_append(out, "\n", 1, error)
                         : error_set_memory(error, text->size, "a document");
  free(line);
  return done;
}

static bool documents_write(struct seekable_zst_writer *writer, const struct words *words,
                            const struct passages_wanted *wanted, struct error *error) {
  struct bytes out = {.start = NULL}, text = {.start = NULL};
  bool done = true;
  for (int64_t i = 0; i < wanted->count && done; i++) {
    done = document_append(&out, words, wanted, i, &text, error);
    if (!done || (out.size < FRAME_BYTES && i + 1 < wanted->count)) continue;
    done = seekable_zst_writer_frame(writer, out.start, out.size, error);
    out.size = 0;
  }
  free(out.start);
  free(text.start);
  return done && seekable_zst_writer_finish(writer, error);
}

static bool file_make(const struct passages_wanted *wanted, const struct words *words, const char *path,
                      struct error *error) {
  struct file_writer file;
  if (!file_writer_open(&file, path, error)) return false;
  struct seekable_zst_writer *writer = seekable_zst_writer_open(&file, LEVEL, error);
  const bool done = writer && documents_write(writer, words, wanted, error);
  seekable_zst_writer_close(writer);
  if (done) return file_writer_commit(&file, NULL, error);
  file_writer_abandon(&file);
  return false;
}

bool passages_make(const struct passages_wanted *wanted, const char *out, const char *const *sources,
                   int count, struct error *error) {
  if (wanted->count < 1 || wanted->words_least < 1 || wanted->words_most < wanted->words_least)
    return error_set(error, ERROR_USAGE, "expected a number of documents, and MIN:MAX words of each");
  struct words words = {.count = 0};
  bool done = true;
  for (int i = 0; i < count && done; i++) done = words_read(&words, sources[i], error);
  done = done && words_split(&words, error) && file_make(wanted, &words, out, error);
  words_free(&words);
  return done;
}
