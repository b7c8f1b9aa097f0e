#include "host/job/input_size.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/byte_source.h"

enum shard_kind { SHARD_PLAIN, SHARD_COMPRESSED, SHARD_KINDS };

/* Shards of one kind: totals, and samples. */
struct size_kind {
  int32_t count;
  double size; /* bytes of all files */
  double file_bytes, text_bytes, lines;
};

static enum shard_kind kind_of(const struct shard *shard) {
  const char *dot = strrchr(shard->path, '.');
  const bool compressed = dot && (strcasecmp(dot, ".gz") == 0 || strcasecmp(dot, ".zst") == 0);
  return compressed ? SHARD_COMPRESSED : SHARD_PLAIN;
}

static double count_lines(const char *text, int64_t size) {
  const char *const end = text + size;
  double lines = 0;
  for (const char *at = text; (at = memchr(at, '\n', (size_t)(end - at))); at++) lines++;
  return lines;
}

/* Adds the readable text of one shard. Adds nothing if memory is short or the beginning is damaged. */
static void kind_look(struct size_kind *kind, const char *path) {
  struct error unreadable;
  char *buffer = malloc(INPUT_SIZE_LOOK_BYTES);
  struct byte_source *source = buffer ? byte_source_open(path, &unreadable) : NULL;
  int64_t text = 0, count = 0;
  double lines = 0;
  while (source && text < INPUT_SIZE_LOOK_BYTES &&
         (count = byte_source_read(source, buffer, (size_t)(INPUT_SIZE_LOOK_BYTES - text), &unreadable)) >
             0) {
    lines += count_lines(buffer, count);
    text += count;
  }
  if (text > 0) {
    kind->file_bytes += (double)byte_source_position(source);
    kind->text_bytes += (double)text;
    kind->lines += lines > 0 ? lines : 1; /* one line, longer than the sample */
  }
  byte_source_close(source);
  free(buffer);
}

static void kind_look_at_some(struct size_kind *kind, enum shard_kind which, const struct shard *shards,
                              int32_t count) {
  const int32_t looks = kind->count < INPUT_SIZE_LOOKS ? kind->count : INPUT_SIZE_LOOKS;
  int32_t looked = 0;
  for (int32_t s = 0, k = 0; s < count && looked < looks; s++) {
    if (kind_of(&shards[s]) != which) continue;
    if (k++ != (int32_t)((int64_t)looked * kind->count / looks)) continue;
    kind_look(kind, shards[s].path);
    looked++;
  }
}

static double kind_text(const struct size_kind *kind) {
  return kind->file_bytes > 0 ? kind->size * kind->text_bytes / kind->file_bytes : kind->size;
}

bool input_size_estimate(const struct shard *shards, int32_t count, struct input_size *size) {
  struct size_kind kinds[SHARD_KINDS] = {0};
  double looked_text = 0, looked_lines = 0;
  *size = (struct input_size){.expansion = 1};
  for (int32_t s = 0; s < count; s++) {
    if (shards[s].size < 0) return false;
    struct size_kind *kind = &kinds[kind_of(&shards[s])];
    kind->count++;
    kind->size += (double)shards[s].size;
  }
  for (int k = 0; k < SHARD_KINDS; k++) {
    kind_look_at_some(&kinds[k], (enum shard_kind)k, shards, count);
    looked_text += kinds[k].text_bytes;
    looked_lines += kinds[k].lines;
  }
  if (looked_text == 0) return false;
  for (int k = 0; k < SHARD_KINDS; k++) {
    const double text = kind_text(&kinds[k]);
    const bool looked = kinds[k].text_bytes > 0;
    size->text_bytes += text;
    size->lines += text * (looked ? kinds[k].lines / kinds[k].text_bytes : looked_lines / looked_text);
  }
  if (kinds[SHARD_COMPRESSED].size > 0)
    size->expansion = kind_text(&kinds[SHARD_COMPRESSED]) / kinds[SHARD_COMPRESSED].size;
  return true;
}

double input_size_of(const struct input_size *size, const struct shard *shard) {
  return (double)shard->size * (kind_of(shard) == SHARD_COMPRESSED ? size->expansion : 1);
}
