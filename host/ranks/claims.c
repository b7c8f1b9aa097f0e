#include "host/ranks/claims.h"

#include <stdlib.h>

struct shard_claims {
  int32_t next;      /* the next block to hand out; after a restart, later blocks may be held already */
  int32_t counted;   /* the first block that no claim has counted: see struct claim */
  int32_t end;       /* number of blocks; INT32_MAX: not known yet */
  int32_t restarted; /* blocks from here on were begun anew; INT32_MAX: none */
  int32_t readers;   /* ranks that read this shard */
};

struct claim_list {
  struct claim *claim;
  int32_t count, capacity;
};

struct rank_claims {
  struct claim_list held;
  int32_t shard; /* the shard it reads; -1: none */
};

struct claims {
  const struct run_log *log;
  struct shard_claims *shard;
  int32_t shard_count;
  struct rank_claims *rank;
  int32_t rank_count;
  struct claim_list returned;
  int32_t fresh; /* the first shard that may never have had a reader */
  int32_t open;  /* the first shard that may have a block left */
};

static bool list_add(struct claim_list *list, const struct claim *claim) {
  if (list->count == list->capacity) {
    const int32_t capacity = list->capacity ? 2 * list->capacity : 16;
    struct claim *larger = realloc(list->claim, (size_t)capacity * sizeof *larger);
    if (!larger) return false;
    list->claim = larger;
    list->capacity = capacity;
  }
  list->claim[list->count++] = *claim;
  return true;
}

/* Removes a shard's claims in [first, last]. */
static void list_remove(struct claim_list *list, int32_t shard, int32_t first, int32_t last) {
  int32_t kept = 0;
  for (int32_t i = 0; i < list->count; i++) {
    const struct claim *claim = &list->claim[i];
    if (claim->shard != shard || claim->block < first || claim->block > last) list->claim[kept++] = *claim;
  }
  list->count = kept;
}

struct claims *claims_open(const struct run_log *log, int32_t ranks, struct error *error) {
  struct claims *claims = calloc(1, sizeof *claims);
  if (!claims) goto memory;
  claims->log = log;
  claims->rank_count = ranks;
  run_log_shards(log, &claims->shard_count);
  claims->rank = calloc((size_t)ranks, sizeof *claims->rank);
  claims->shard = calloc((size_t)claims->shard_count + 1, sizeof *claims->shard);
  if (!claims->rank || !claims->shard) goto memory;
  for (int32_t i = 0; i < ranks; i++) claims->rank[i].shard = -1;
  for (int32_t i = 0; i < claims->shard_count; i++)
    claims->shard[i] = (struct shard_claims){.end = INT32_MAX, .restarted = INT32_MAX};
  return claims;
memory:
  error_set_memory(error, (size_t)ranks * sizeof *claims->rank, "the claims");
  claims_close(claims);
  return NULL;
}

void claims_close(struct claims *claims) {
  if (!claims) return;
  for (int32_t i = 0; claims->rank && i < claims->rank_count; i++) free(claims->rank[i].held.claim);
  free(claims->returned.claim);
  free(claims->rank);
  free(claims->shard);
  free(claims);
}

static bool block_is_held(const struct claims *claims, int32_t shard, int32_t block) {
  for (int32_t i = 0; i < claims->rank_count; i++) {
    const struct claim_list *held = &claims->rank[i].held;
    for (int32_t k = 0; k < held->count; k++)
      if (held->claim[k].shard == shard && held->claim[k].block == block) return true;
  }
  return false;
}

/* True if a block must be skipped: it is committed or held. A block can be held before its turn only if its
 * shard was restarted. */
static bool block_is_passed(const struct claims *claims, int32_t number, int32_t block) {
  return run_log_part(claims->log, number, block) ||
         (claims_restarted(claims, number, block) && block_is_held(claims, number, block));
}

/* True if the shard has a block to hand out, as far as rank 0 knows; `next` is then the block. */
static bool shard_has_next(const struct claims *claims, int32_t number) {
  struct shard_claims *shard = &claims->shard[number];
  const int32_t blocks = run_log_shard_blocks(claims->log, number);
  const int32_t end = blocks >= 0 && blocks < shard->end ? blocks : shard->end;
  while (shard->next < end && block_is_passed(claims, number, shard->next)) shard->next++;
  return shard->next < end;
}

static void rank_leave_shard(struct claims *claims, struct rank_claims *rank) {
  if (rank->shard >= 0) claims->shard[rank->shard].readers--;
  rank->shard = -1;
}

static void rank_join_shard(struct claims *claims, struct rank_claims *rank, int32_t shard) {
  rank_leave_shard(claims, rank);
  rank->shard = shard;
  claims->shard[shard].readers++;
}

/* A shard that no rank reads, or -1. */
static int32_t find_unread_shard(struct claims *claims) {
  for (int32_t i = claims->fresh; i < claims->shard_count; i++) {
    if (shard_has_next(claims, i) && claims->shard[i].readers == 0) return i;
    /* This shard has been begun or is done: only find_shared_shard looks at it again. */
    if (i == claims->fresh) claims->fresh++;
  }
  return -1;
}

/* The shard with the fewest readers, or -1 if no shard has a block left. */
static int32_t find_shared_shard(struct claims *claims) {
  int32_t best = -1;
  while (claims->open < claims->shard_count && !shard_has_next(claims, claims->open)) claims->open++;
  for (int32_t i = claims->open; i < claims->shard_count; i++)
    if (shard_has_next(claims, i) && (best < 0 || claims->shard[i].readers < claims->shard[best].readers))
      best = i;
  return best;
}

/* Takes the next block of the rank's shard. */
static void take_next(struct claims *claims, const struct rank_claims *rank, struct claim *claim) {
  struct shard_claims *shard = &claims->shard[rank->shard];
  *claim = (struct claim){.shard = rank->shard, .block = shard->next, .counted = shard->counted};
  shard->counted = ++shard->next;
}

static bool find_claim(struct claims *claims, struct rank_claims *rank, struct claim *claim) {
  if (rank->shard >= 0 && !shard_has_next(claims, rank->shard)) rank_leave_shard(claims, rank);
  if (rank->shard < 0) {
    const int32_t unread = find_unread_shard(claims);
    if (unread >= 0) rank_join_shard(claims, rank, unread);
  }
  if (rank->shard < 0 && claims->returned.count > 0) {
    *claim = claims->returned.claim[0];
    list_remove(&claims->returned, claim->shard, claim->block, claim->block);
    return true;
  }
  if (rank->shard < 0) {
    const int32_t shared = find_shared_shard(claims);
    if (shared < 0) return false;
    rank_join_shard(claims, rank, shared);
  }
  take_next(claims, rank, claim);
  return true;
}

static bool others_hold_blocks(const struct claims *claims, int32_t rank) {
  for (int32_t i = 0; i < claims->rank_count; i++)
    if (i != rank && claims->rank[i].held.count > 0) return true;
  return false;
}

enum claim_result claims_next(struct claims *claims, int32_t number, struct claim *claim) {
  struct rank_claims *rank = &claims->rank[number];
  if (!find_claim(claims, rank, claim)) return others_hold_blocks(claims, number) ? CLAIM_LATER : CLAIM_OVER;
  /* If memory for the note runs out, do not give the block: it could be lost with its rank. */
  return list_add(&rank->held, claim) ? CLAIM_GIVEN : CLAIM_OVER;
}

void claims_done(struct claims *claims, int32_t rank, int32_t shard, int32_t block) {
  list_remove(&claims->rank[rank].held, shard, block, block);
}

void claims_end_shard(struct claims *claims, int32_t shard, int32_t blocks) {
  if (blocks < claims->shard[shard].end) claims->shard[shard].end = blocks;
  for (int32_t i = 0; i < claims->rank_count; i++)
    list_remove(&claims->rank[i].held, shard, blocks, INT32_MAX);
  list_remove(&claims->returned, shard, blocks, INT32_MAX);
}

void claims_restart_shard(struct claims *claims, int32_t number, int32_t block) {
  struct shard_claims *shard = &claims->shard[number];
  if (block < shard->next) shard->next = block;
  if (block < shard->restarted) shard->restarted = block;
  list_remove(&claims->returned, number, block, INT32_MAX);
  if (number < claims->fresh) claims->fresh = number;
  if (number < claims->open) claims->open = number;
}

bool claims_restarted(const struct claims *claims, int32_t shard, int32_t block) {
  return claims->shard[shard].restarted <= block;
}

void claims_return(struct claims *claims, int32_t number) {
  struct rank_claims *rank = &claims->rank[number];
  for (int32_t i = 0; i < rank->held.count; i++) {
    struct claim claim = rank->held.claim[i];
    claim.counted = claim.block;
    /* Blocks from `next` on still get their turn. (Of blocks past the shard's end none is held:
     * claims_end_shard.)
     */
    if (claim.block < claims->shard[claim.shard].next) list_add(&claims->returned, &claim);
  }
  rank->held.count = 0;
  rank_leave_shard(claims, rank);
}
