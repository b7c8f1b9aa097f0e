/* Rank 0's bookkeeping: which rank holds which block. Plain state, without threads or messages; ranks.h says
 * why no block is missed or done twice.
 *
 * A rank stays with its shard while the shard has blocks left, so that it reads forwards and skips as little
 * as possible. Then it takes a shard that no rank reads, then a block that was handed back, then the shard
 * with the fewest readers. */
#pragma once

#include "host/ranks/ranks.h"

struct claims;

/* The log knows the committed blocks; it must outlive the claims. */
struct claims *claims_open(const struct run_log *log, int32_t ranks, struct error *error);
void claims_close(struct claims *claims);

enum claim_result {
  CLAIM_GIVEN,
  CLAIM_LATER, /* no block is left, but other ranks hold blocks that they may hand back */
  CLAIM_OVER   /* no block is left, and no other rank holds one */
};

/* Gives `rank` the next block to hold. */
enum claim_result claims_next(struct claims *claims, int32_t rank, struct claim *claim);

/* `rank` has committed a block and no longer holds it. The log must already have the part. */
void claims_done(struct claims *claims, int32_t rank, int32_t shard, int32_t block);

/* A shard has `blocks` blocks in this run. Claims past its end are dropped: those blocks do not exist. */
void claims_end_shard(struct claims *claims, int32_t shard, int32_t blocks);

/* Hands out a shard's blocks from `block` on again, except blocks that a rank holds: a claim names a block
 * number, and its holder reads the shard as it is now. The log must already have dropped their parts. */
void claims_restart_shard(struct claims *claims, int32_t shard, int32_t block);

/* True if the shard has been restarted at this block or before it. */
bool claims_restarted(const struct claims *claims, int32_t shard, int32_t block);

/* `rank` claims no more: the blocks that it holds go back. */
void claims_return(struct claims *claims, int32_t rank);
