#include "host/ranks/claims_event.h"

#include "host/ranks/state.h"
#include "io/run/run_share.h"

/* Takes back a shard's parts from a block on, unless another rank has asked for the same. */
static bool shard_restart(struct ranks *ranks, int32_t shard, int32_t block, struct error *error) {
  if (claims_restarted(ranks->claims, shard, block)) return true;
  if (!run_log_forget(ranks->log, shard, block, error)) return false;
  claims_restart_shard(ranks->claims, shard, block);
  return true;
}

/* Rank 0's log already has rank 0's own parts. */
static bool block_committed(struct ranks *ranks, int32_t from, const struct part_summary *part,
                            struct error *error) {
  const bool ok = from == 0 || run_log_adopt(ranks->log, part, error);
  claims_done(ranks->claims, from, part->border.shard, part->border.index);
  return ok;
}

bool claims_event(struct ranks *ranks, int32_t from, const struct message *event, struct error *error) {
  const struct claim *claim = &event->claim;
  bool ok = true;
  switch ((enum message_kind)event->kind) {
    case MESSAGE_COMMITTED:
      ok = block_committed(ranks, from, &event->part, error);
      break;
    case MESSAGE_ENDS:
      claims_end_shard(ranks->claims, claim->shard, claim->block);
      break;
    case MESSAGE_RESTARTS:
      ok = shard_restart(ranks, claim->shard, claim->block, error);
      break;
    case MESSAGE_LEAVE:
      claims_return(ranks->claims, from);
      break;
    case MESSAGE_WANT:
    case MESSAGE_REPORT:
    case MESSAGE_STOP:
    case MESSAGE_CLAIM:
    case MESSAGE_OVER:
    case MESSAGE_RESTARTED:
    case MESSAGE_END:
      return true;
  }
  ranks->dirty = true;
  pthread_cond_broadcast(&ranks->changed);
  pthread_cond_signal(&ranks->posted);
  return ok;
}
