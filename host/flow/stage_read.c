/* The reader: claims blocks, passes over those that are done, reads the rest. */
#include <stdlib.h>
#include <string.h>

#include "host/flow/stages.h"

/* The shard being read. */
struct cursor {
  struct block_reader *reader; /* NULL: none */
  int32_t shard;
  int64_t consumed; /* bytes of its file that have been accounted for */
};

static void cursor_close(struct cursor *cursor) {
  block_reader_close(cursor->reader);
  cursor->reader = NULL;
}

/* Bytes of the shard's file that were taken since the last call. */
static int64_t cursor_advance(struct cursor *cursor) {
  const int64_t before = cursor->consumed;
  cursor->consumed = block_reader_consumed(cursor->reader);
  return cursor->consumed - before;
}

static bool cursor_open(struct cursor *cursor, struct flow *flow, int32_t shard, struct error *error) {
  if (cursor->reader && cursor->shard == shard) return true;
  cursor_close(cursor);
  int32_t count;
  const struct shard *shards = run_log_shards(flow->parts.log, &count);
  cursor->reader =
      block_reader_open(shard, shards[shard].path, &flow->options.limits, &flow->stopping, error);
  cursor->shard = shard;
  cursor->consumed = 0;
  return cursor->reader != NULL;
}

enum reach { REACHED, REACHED_END, REACH_RESTARTED, REACH_STOPPED, REACH_FAILED };

/* A block that was passed over is not the one that an earlier run recorded. Where the shard was damaged then,
 * what came out of it before the damage showed may have been wrong, and it is done again from here; otherwise
 * somebody has changed it. */
static enum reach border_differs(struct cursor *cursor, struct flow *flow, const struct block_border *border,
                                 struct error *error) {
  if (run_log_shard_damaged(flow->parts.log, border->shard)) {
    if (!run_log_forget(flow->parts.log, border->shard, border->index, error)) return REACH_FAILED;
    ranks_shard_restarts(flow->parts.ranks, border->shard, border->index);
    cursor_close(cursor);
    return REACH_RESTARTED;
  }
  int32_t count;
  const struct shard *shards = run_log_shards(flow->parts.log, &count);
  error_set(
      error, ERROR_CONFLICT,
      "shard %d (%s) is not the one that this run began with: its lines %lld to %lld have changed; put the "
      "old file back, or start anew with --overwrite",
      border->shard, shards[border->shard].path, (long long)border->first_line,
      (long long)(border->first_line + border->lines - 1));
  return REACH_FAILED;
}

/* Brings the cursor to `block`. */
static enum reach cursor_reach(struct cursor *cursor, struct flow *flow, int32_t block, struct error *error) {
  struct block_reader *reader = cursor->reader;
  if (block == block_reader_position(reader)) return REACHED;
  const struct block_border *previous = run_log_part(flow->parts.log, cursor->shard, block - 1);
  *error = (struct error){0};
  if (previous && !block_reader_seek(reader, previous, error) && error->code != ERROR_NONE)
    return REACH_FAILED;
  while (block_reader_position(reader) < block) {
    struct block_border border;
    if (atomic_load(&flow->stopping)) return REACH_STOPPED;
    const enum block_result result = block_reader_skip(reader, &border, error);
    if (result == BLOCK_FAILED) return REACH_FAILED;
    if (result == BLOCK_END) return REACHED_END;
    const struct block_border *recorded = run_log_part(flow->parts.log, border.shard, border.index);
    if (recorded && strcmp(recorded->hash, border.hash) != 0)
      return border_differs(cursor, flow, &border, error);
  }
  atomic_fetch_add(&flow->source_bytes_before, cursor_advance(cursor));
  return REACHED;
}

/* Reads the block that the cursor stands before and passes it on. */
static bool read_block(struct flow *flow, struct cursor *cursor, struct work *work, int64_t *waited,
                       struct error *error) {
  const enum block_result result = block_reader_next(cursor->reader, &work->block, error);
  if (result == BLOCK_FAILED) return false;
  const struct block_border *border = &work->block.border;
  if (result == BLOCK_END) {
    ranks_shard_ends(flow->parts.ranks, cursor->shard, block_reader_position(cursor->reader));
    flow_release(flow, work);
    return true;
  }
  if (border->end_of_shard || border->incomplete)
    ranks_shard_ends(flow->parts.ranks, cursor->shard, border->index + 1);
  if (border->incomplete) flow_add_damage(flow, &work->block.damage);
  work->source_bytes = cursor_advance(cursor);
  if (!flow_gate_enter(flow, work, waited) || !queue_push(&flow->read, work)) flow_release(flow, work);
  return true;
}

/* One claim: reaches its block, reads it and passes it on. False when the reader has to end. */
static bool read_claim(struct flow *flow, struct cursor *cursor, const struct claim *claim, int64_t *waited,
                       struct error *error) {
  void *work;
  if (!cursor_open(cursor, flow, claim->shard, error)) return false;
  switch (cursor_reach(cursor, flow, claim->block, error)) {
    case REACHED:
      return queue_pop(&flow->idle, &work, waited) && read_block(flow, cursor, work, waited, error);
    case REACHED_END:
      ranks_shard_ends(flow->parts.ranks, claim->shard, block_reader_position(cursor->reader));
      return true;
    case REACH_RESTARTED:
      return true;
    case REACH_STOPPED:
    case REACH_FAILED:
      break;
  }
  return false;
}

void *stage_read(void *argument) {
  struct flow *flow = argument;
  struct cursor cursor = {0};
  struct claim claim;
  struct error error = {0};
  int64_t waited = 0;
  while (!atomic_load(&flow->stopping) && ranks_claim(flow->parts.ranks, &claim)) {
    if (read_claim(flow, &cursor, &claim, &waited, &error)) continue;
    /* When the flow is stopping, ending is no failure, nor is a wait for standard input that was cut short.
     */
    if (!atomic_load(&flow->stopping)) flow_fail(flow, &error);
    break;
  }
  cursor_close(&cursor);
  queue_close(&flow->read);
  flow_thread_ends(flow, STAGE_READ, waited);
  return NULL;
}
