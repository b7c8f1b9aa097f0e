#include "io/run/shard.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/byte_source.h"
#include "io/file.h"
#include "io/file_watch.h"
#include "io/look.h"

bool shard_examine(struct shard *shard, struct error *error) {
  bool ok = false;
  shard->size = -1;
  shard->fingerprint[0] = '\0';
  if (strcmp(shard->path, "-") == 0) return true;

  struct stat status;
  const int descriptor = open(shard->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not block */
  if (descriptor < 0 || fstat(descriptor, &status) != 0) {
    error_set_errno(error, "cannot open %s", shard->path);
    goto out;
  }
  if (!S_ISREG(status.st_mode)) {
    error_set(error, ERROR_USAGE, "%s is not a file: a pipe can be given as standard input, by the name -",
              shard->path);
    goto out;
  }
  if (!fingerprint_read(descriptor, shard->path, status.st_size, shard->fingerprint, error)) goto out;
  shard->size = status.st_size;
  ok = true;
out:
  if (descriptor >= 0) close(descriptor);
  return ok;
}

bool shard_same_content(const struct shard *a, const struct shard *b) {
  return a->size == b->size && strcmp(a->fingerprint, b->fingerprint) == 0;
}

bool shard_is_plain(const struct shard *shard, bool *plain, struct error *error) {
  struct look look;
  *plain = shard->size >= 0 && !file_has_ending(shard->path, ".gz") && !file_has_ending(shard->path, ".zst");
  if (shard->size < 0) return true;
  if (!look_at(shard->path, &look, error)) return false;
  if (look.kind != LOOK_FILE || look.size != shard->size) return true;
  struct byte_source *source = byte_source_open(shard->path, error);
  if (source) *plain = byte_source_can_seek(source);
  byte_source_close(source);
  return source != NULL;
}

int64_t shards_bytes(const struct shard *shards, int32_t count) {
  int64_t bytes = 0;
  for (int32_t s = 0; s < count; s++) {
    if (shards[s].size < 0) return -1;
    bytes += shards[s].size;
  }
  return bytes;
}

void shard_list_free(struct shard_list *list) {
  for (int32_t i = 0; i < list->count; i++) free(list->shard[i].path);
  free(list->shard);
  *list = (struct shard_list){0};
}

bool shard_list_add(struct shard_list *list, const struct shard *shard, struct error *error) {
  if (list->count == INT32_MAX) return error_set(error, ERROR_USAGE, "more shards than can be counted");
  /* Room doubles at every power of two. */
  if ((list->count & (list->count - 1)) == 0) {
    const size_t bytes = (list->count ? 2 * (size_t)list->count : 1) * sizeof *list->shard;
    struct shard *larger = realloc(list->shard, bytes);
    if (!larger) return error_set_memory(error, bytes, "a list of shards");
    list->shard = larger;
  }
  struct shard copy = *shard;
  copy.path = strdup(shard->path);
  if (!copy.path) return error_set_memory(error, strlen(shard->path), "a path");
  list->shard[list->count++] = copy;
  return true;
}
