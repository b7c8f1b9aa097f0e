#include "host/ranks/ranks.h"

#include <stdlib.h>

struct ranks {
  const struct run_log *log;
  int32_t shard_count;
  struct claim next; /* the first block that has not been looked at */
};

struct ranks *ranks_open(struct error *error) {
  struct ranks *ranks = calloc(1, sizeof *ranks);
  if (!ranks) error_set_memory(error, sizeof *ranks, "the ranks");
  return ranks;
}

void ranks_close(struct ranks *ranks) {
  free(ranks);
}

int32_t ranks_rank(const struct ranks *ranks) {
  (void)ranks;
  return 0;
}

int32_t ranks_size(const struct ranks *ranks) {
  (void)ranks;
  return 1;
}

bool ranks_begin(struct ranks *ranks, const struct run_log *log, struct error *error) {
  (void)error;
  ranks->log = log;
  ranks->next = (struct claim){0};
  run_log_shards(log, &ranks->shard_count);
  return true;
}

bool ranks_claim(struct ranks *ranks, struct claim *claim) {
  struct claim *next = &ranks->next;
  while (next->shard < ranks->shard_count) {
    const int32_t blocks = run_log_shard_blocks(ranks->log, next->shard);
    if (blocks >= 0 && next->block >= blocks) {
      *next = (struct claim){.shard = next->shard + 1};
      continue;
    }
    *claim = *next;
    next->block++;
    if (!run_log_part(ranks->log, claim->shard, claim->block)) return true;
  }
  return false;
}

void ranks_shard_ends(struct ranks *ranks, int32_t shard, int32_t blocks) {
  if (ranks->next.shard == shard && ranks->next.block >= blocks)
    ranks->next = (struct claim){.shard = shard + 1};
}

void ranks_shard_restarts(struct ranks *ranks, int32_t shard, int32_t block) {
  ranks->next = (struct claim){shard, block};
}
