/* The ranks of a job, and which block is whose.
 *
 * Work is claimed block by block. A claim names the next block of a shard that is neither committed nor
 * claimed; whether a shard still has such a block is not known before some rank has read to its end, so a
 * claim may name the block after the last: whoever finds that says where the shard ends. Claims of one shard
 * rise, so that a rank reads a shard forwards only.
 *
 * Today this is a world of one: claims follow the shards in order. Nothing above this header knows that. */
#pragma once

#include "io/error.h"
#include "io/run_log.h"

struct ranks;

struct claim {
  int32_t shard, block;
};

struct ranks *ranks_open(struct error *error);
void ranks_close(struct ranks *ranks);

int32_t ranks_rank(const struct ranks *ranks);
int32_t ranks_size(const struct ranks *ranks);

/* Starts handing out the blocks that `log` does not hold. The log must outlive the claims. */
bool ranks_begin(struct ranks *ranks, const struct run_log *log, struct error *error);

/* The next block for this rank; false when nothing is left to claim. Called by one thread. */
bool ranks_claim(struct ranks *ranks, struct claim *claim);

/* Says that a shard ends after `blocks` blocks, or cannot be read further in this run (damage): no later
 * block of it is handed out. */
void ranks_shard_ends(struct ranks *ranks, int32_t shard, int32_t blocks);

/* Says that the blocks of a shard from `block` on are to be done again, whatever was committed or claimed. */
void ranks_shard_restarts(struct ranks *ranks, int32_t shard, int32_t block);
