/* Which of the given shards a run has already, whatever their paths are called today. */
#pragma once

#include "io/error.h"
#include "io/run/shard.h"

enum shard_known {
  SHARD_NEW,
  SHARD_COPY,   /* new; a shard of the list has the same content */
  SHARD_LISTED, /* the path of the list's shard, perhaps in another spelling or through a link */
  SHARD_MOVED   /* the same content, and the list's path leads to it no more */
};

struct shard_match {
  enum shard_known known;
  int32_t listed; /* number in the list; -1 if new */
};

/* Fills match [count]. A shard of the list is matched at most once, and shards are matched in this order: by
 * the path as it is written; by folder and name, so that `./a` is `a`; by the file behind all links, if size
 * and fingerprint agree (a link may be turned to a new file); by size and fingerprint, if the list's path
 * does not lead to this content (the shard was moved, the path is relative and the working directory
 * another, or this user may not follow it). So a true copy beside the listed shard is a new shard. */
bool shards_match(const struct shard_list *list, const struct shard *given, int32_t count,
                  struct shard_match *match, struct error *error);

/* Says for people which shards were moved, and which are copies: a sentence each, or "". */
void shards_describe_moved(const struct shard_list *list, const struct shard *given, int32_t count,
                           const struct shard_match *match, char sentence[SENTENCE_BYTES]);
void shards_describe_copies(const struct shard_list *list, const struct shard *given, int32_t count,
                            const struct shard_match *match, char sentence[SENTENCE_BYTES]);
