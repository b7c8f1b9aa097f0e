/* Which block is whose: the bookkeeping of the rank that hands the blocks out, rank 0. Plain state, without
 * threads or messages; ranks.h says why nothing is missed or done twice.
 *
 * A rank stays with its shard while that has blocks left, so that it reads forwards and passes over as little
 * as it can; then it goes to a shard that nobody reads, then to blocks that were handed back, then to the
 * shard with the fewest readers. */
#pragma once

#include "host/ranks/ranks.h"

struct claims;

/* The log tells what is committed; it must outlive the claims. */
struct claims *claims_open(const struct run_log *log, int32_t ranks, struct error *error);
void claims_close(struct claims *claims);

enum claim_result {
  CLAIM_GIVEN,
  CLAIM_LATER, /* nothing is left, but others hold blocks that they may hand back */
  CLAIM_OVER   /* nothing is left, nor held by others */
};

/* The next block for `rank`, which then holds it. */
enum claim_result claims_next(struct claims *claims, int32_t rank, struct claim *claim);

/* `rank` has committed a block: it holds it no longer. The log must know the part by then. */
void claims_done(struct claims *claims, int32_t rank, int32_t shard, int32_t block);

/* A shard has `blocks` blocks in this run: those that are held past them were never there. */
void claims_end_shard(struct claims *claims, int32_t shard, int32_t blocks);

/* The blocks of a shard from `block` on are to be handed out again, but for those that somebody holds: a
 * claim is for a number, and its holder reads the shard as it is now. The log must have forgotten their
 * parts. */
void claims_restart_shard(struct claims *claims, int32_t shard, int32_t block);

/* True where the shard has been restarted at this block or before it. */
bool claims_restarted(const struct claims *claims, int32_t shard, int32_t block);

/* `rank` claims no more: what it holds goes back. */
void claims_return(struct claims *claims, int32_t rank);
