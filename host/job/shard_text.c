#include "host/job/shard_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/byte_source.h"
#include "io/run/shard.h"
#include "io/text.h"

#define PIECE_BYTES ((size_t)64 << 10) /* read at a time */

enum shard_state { SHARD_UNKNOWN, SHARD_SAME, SHARD_OTHER };

struct shard_text {
  const struct stored_run *run;
  bool slow_text;
  struct document_fields fields;
  int64_t max_line;
  const json_t *list;      /* the manifest's shards */
  enum shard_state *state; /* [shards] */
  struct text line;
  char *piece;
};

struct shard_text *shard_text_open(const struct stored_run *run, bool slow_text, struct error *error) {
  struct shard_text *shards = calloc(1, sizeof *shards);
  const json_t *settings = json_object_get(run->manifest, "settings");
  const json_t *list = json_object_get(run->manifest, "shards");
  if (shards) {
    const char *text = stored_run_string(run, "settings", "text_field");
    *shards = (struct shard_text){
        .run = run,
        .slow_text = slow_text,
        .fields = {.text = text ? text : "text", .title = stored_run_string(run, "settings", "title_field")},
        .max_line = json_integer_value(json_object_get(settings, "max_line")),
        .list = list,
        .state = calloc(json_array_size(list) + 1, sizeof *shards->state),
        .piece = malloc(PIECE_BYTES)};
    if (shards->state && shards->piece) return shards;
  }
  error_set_memory(error, PIECE_BYTES, "reading shards");
  shard_text_close(shards);
  return NULL;
}

void shard_text_close(struct shard_text *shards) {
  if (!shards) return;
  text_free(&shards->line);
  free(shards->state);
  free(shards->piece);
  free(shards);
}

/* Whether a shard is the one that was embedded; asked of the file once. */
static bool shard_is_same(struct shard_text *shards, int32_t number, const char *path) {
  if (shards->state[number] == SHARD_UNKNOWN) {
    const json_t *entry = json_array_get(shards->list, (size_t)number);
    const char *fingerprint = json_string_value(json_object_get(entry, "fingerprint"));
    struct shard now = {.path = (char *)(uintptr_t)path};
    struct error unreadable;
    const bool same = shard_examine(&now, &unreadable) && fingerprint &&
                      strcmp(fingerprint, now.fingerprint) == 0 &&
                      now.size == json_integer_value(json_object_get(entry, "size"));
    shards->state[number] = same ? SHARD_SAME : SHARD_OTHER;
  }
  return shards->state[number] == SHARD_SAME;
}

/* Passes over `offset` bytes. */
static bool source_skip(struct shard_text *shards, struct byte_source *source, int64_t offset,
                        struct error *error) {
  if (byte_source_can_seek(source)) return byte_source_seek(source, offset, error);
  while (offset > 0) {
    const size_t want = offset < (int64_t)PIECE_BYTES ? (size_t)offset : PIECE_BYTES;
    const int64_t got = byte_source_read(source, shards->piece, want, error);
    if (got == 0) error_set(error, ERROR_INPUT, "it ends before the document");
    if (got <= 0) return false;
    offset -= got;
  }
  return true;
}

/* Reads up to the end of a line into shards->line. */
static bool line_read(struct shard_text *shards, struct byte_source *source, struct error *error) {
  struct text *line = &shards->line;
  text_clear(line, (size_t)1 << 20);
  while ((int64_t)line->size <= shards->max_line) {
    const int64_t got = byte_source_read(source, shards->piece, PIECE_BYTES, error);
    if (got < 0) return false;
    const char *end = memchr(shards->piece, '\n', (size_t)got);
    text_append(line, shards->piece, end ? (size_t)(end - shards->piece) : (size_t)got);
    if (line->failed) return error_set_memory(error, line->size, "a document's line");
    if (end || got == 0) return true;
  }
  return error_set(error, ERROR_INPUT, "no line of a document stands there");
}

/* The document at the passage's offset; false with a sentence where it is not one. */
static bool document_read(struct shard_text *shards, const char *path, struct passage *passage,
                          struct error *error) {
  struct document document;
  char reason[256];
  struct byte_source *source = byte_source_open(path, error);
  if (!source) return false;
  if (!byte_source_can_seek(source) && !shards->slow_text) {
    byte_source_close(source);
    return error_set(error, ERROR_USAGE, "%s is compressed: --slow-text decompresses it up to the document",
                     path);
  }
  const bool ok = source_skip(shards, source, passage->offset, error) && line_read(shards, source, error);
  byte_source_close(source);
  if (!ok) return false;
  struct text *line = &shards->line;
  if (passage->line == 1 && line->size >= 3 && memcmp(line->bytes, "\xef\xbb\xbf", 3) == 0)
    memset(line->bytes, ' ', 3); /* the byte order mark that may open a shard */
  if (document_parse(&shards->fields, line->bytes, (int64_t)line->size, &document, reason) != DOCUMENT_READ)
    return error_set(error, ERROR_INPUT, "%s, line %lld: %s", path, (long long)passage->line, reason);
  passage->title = document.title;
  passage->text = document.text;
  return true;
}

bool shard_text_read(struct shard_text *shards, struct passage *passage, struct error *error) {
  const json_t *entry = json_array_get(shards->list, (size_t)passage->shard);
  const char *path = json_string_value(json_object_get(entry, "path"));
  struct error reason = {0};
  if (!path)
    error_set(&reason, ERROR_INPUT, "the manifest has no shard %d", passage->shard);
  else if (strcmp(path, "-") == 0)
    error_set(&reason, ERROR_INPUT, "it came from standard input (--store-text keeps texts)");
  else if (!shard_is_same(shards, passage->shard, path))
    error_set(&reason, ERROR_INPUT, "%s is not there, or has changed since", path);
  else if (document_read(shards, path, passage, &reason))
    return true;
  else if (reason.code == ERROR_MEMORY) {
    *error = reason;
    return false;
  }
  snprintf(passage->missing, sizeof passage->missing, "%.500s", reason.message);
  return true;
}
