/* A shard of a run: a file of its input, and how to know it again. */
#pragma once

#include <stdint.h>

#include "io/error.h"

struct shard {
  char *path;           /* as the user gave it, folders expanded */
  int64_t size;         /* bytes of the file; -1 for standard input */
  char fingerprint[33]; /* XXH3-128 of the first and last 64 KiB (of all, when shorter than both); empty for
                           standard input */
};

/* Size and fingerprint of shard->path; the path stays the caller's. */
bool shard_examine(struct shard *shard, struct error *error);

/* True if the shard's bytes are its text: no .gz, no .zst, no standard input. Its first bytes tell; if it is
 * not there any more, or has another size now, its name does. */
bool shard_is_plain(const struct shard *shard);

struct shard_list {
  struct shard *shard; /* [count], the paths owned */
  int32_t count;
};

/* An empty list may be zeroed. */
void shard_list_free(struct shard_list *list);

/* Appends a copy. */
bool shard_list_add(struct shard_list *list, const struct shard *shard, struct error *error);
