#include "host/job/reread.h"

#include <string.h>

static bool shard_examine_again(const struct shard *then, int32_t number, struct error *trouble) {
  struct shard now = {.path = then->path};
  if (then->size < 0)
    return error_set(trouble, ERROR_INPUT,
                     "its shard was standard input, which cannot be read a second time");
  if (!shard_examine(&now, trouble)) {
    if (*then->path == '/') return false;
    return error_append(trouble, "relative paths are those of the folder in which nina embed was started");
  }
  if (now.size != then->size)
    return error_set(trouble, ERROR_INPUT, "shard %d (%s) has changed since: its size was %lld, and is %lld",
                     number, then->path, (long long)then->size, (long long)now.size);
  return strcmp(now.fingerprint, then->fingerprint) == 0 ||
         error_set(trouble, ERROR_INPUT, "shard %d (%s) has changed since: its beginning or its end differs",
                   number, then->path);
}

/* Opens the shard at its start, unless the reader stands in it, before the block or at it. */
static bool shard_reach(struct reread *reread, int32_t shard, int32_t block, struct error *error) {
  const struct shard *listed = &reread->shards->shard[shard];
  const bool same = reread->examined && reread->shard == shard;
  if (!same) {
    reread->shard = shard;
    reread->trouble = (struct error){0};
    shard_examine_again(listed, shard, &reread->trouble);
    reread->examined = reread->trouble.code != ERROR_MEMORY;
  }
  *error = reread->trouble;
  if (error->code) return false;
  if (same && reread->reader && block_reader_position(reread->reader) <= block) return true;
  block_reader_close(reread->reader);
  const struct block_source source = {.path = listed->path, .size = listed->size, .stop = reread->stop};
  reread->reader = block_reader_open(shard, &source, &reread->limits, error);
  return reread->reader != NULL;
}

/* Moves the reader to the record's block. */
static bool block_reach(struct reread *reread, const struct block_border *border, struct error *error) {
  /* The block before, as far as the reader uses it to find its way. */
  const struct block_border before = {.shard = border->shard,
                                      .index = border->index - 1,
                                      .first_line = border->first_line,
                                      .next_offset = border->first_offset};
  struct block_border passed;
  if (block_reader_position(reread->reader) == border->index) return true;
  if (block_reader_seek(reread->reader, &before, error)) return true;
  if (error->code) return false;
  while (block_reader_position(reread->reader) < border->index) {
    if (atomic_load(reread->stop)) return false;
    switch (block_reader_skip(reread->reader, &passed, error)) {
      case BLOCK_READ:
        continue;
      case BLOCK_END:
        return error_set(error, ERROR_INPUT, "shard %d (%s) now ends before this block", border->shard,
                         reread->shards->shard[border->shard].path);
      case BLOCK_FAILED:
        return false;
    }
  }
  return true;
}

static bool block_take(struct reread *reread, const struct block_border *border, struct block *block,
                       struct error *error) {
  const char *path = reread->shards->shard[border->shard].path;
  if (!block_reach(reread, border, error)) return false;
  const enum block_result result = block_reader_next(reread->reader, block, error);
  if (result == BLOCK_FAILED) return false;
  if (result == BLOCK_READ && strcmp(block->border.hash, border->hash) == 0) return true;
  return error_set(error, ERROR_INPUT,
                   "the block at byte %lld of shard %d (%s) is not the one that its record names: the shard "
                   "has changed since, or the record or the limits of a block in the manifest were",
                   (long long)border->first_offset, border->shard, path);
}

enum reread_result reread_block(struct reread *reread, const struct part_record *record, struct block *block,
                                struct error *error) {
  const struct block_border *border = &record->border;
  *error = (struct error){0};
  if (shard_reach(reread, border->shard, border->index, error) && block_take(reread, border, block, error))
    return REREAD_DONE;
  /* After a failure the reader may stand anywhere. */
  block_reader_close(reread->reader);
  reread->reader = NULL;
  return error->code == ERROR_NONE || error->code == ERROR_MEMORY || atomic_load(reread->stop) ? REREAD_FAILED
                                                                                               : REREAD_OTHER;
}

void reread_close(struct reread *reread) {
  block_reader_close(reread->reader);
  reread->reader = NULL;
}
