/* A shard of a run: an input file, and what recognises it later. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct shard {
  char *path;           /* from the user, folders expanded */
  int64_t size;         /* size of the file; -1 for standard input */
  char fingerprint[33]; /* XXH3-128 of the first and last 64 KiB (if shorter, the whole file); empty for
                           standard input */
};

/* Fills in the size and fingerprint of shard->path; the caller still owns the path. */
bool shard_examine(struct shard *shard, struct error *error);

/* Whether two shards have the same size and fingerprint, whatever their paths. */
bool shard_same_content(const struct shard *a, const struct shard *b);

/* Whether the shard's bytes are its text: no .gz, no .zst, no standard input. The shard's first bytes decide;
 * if it is missing, or its size has changed, its name decides. False if it is there and cannot be read. */
bool shard_is_plain(const struct shard *shard, bool *plain, struct error *error);

/* Bytes of all shard files, or -1 if one is standard input. */
int64_t shards_bytes(const struct shard *shards, int32_t count);

struct shard_list {
  struct shard *shard; /* [count], the paths owned */
  int32_t count;
};

/* The list may be zeroed. */
void shard_list_free(struct shard_list *list);

/* Appends a copy. */
bool shard_list_add(struct shard_list *list, const struct shard *shard, struct error *error);
