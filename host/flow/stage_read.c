/* The reader: claims blocks, skips blocks that are done, reads the others. */
#include <stdio.h>
#include <string.h>

#include "host/flow/stages.h"

/* The shard being read. */
struct shard_cursor {
  struct block_reader *reader; /* NULL: no shard is open */
  int32_t shard;
  int64_t consumed; /* bytes of its file already counted */
};

static void cursor_close(struct shard_cursor *cursor) {
  block_reader_close(cursor->reader);
  cursor->reader = NULL;
}

/* Bytes taken from the shard's file since the last call. */
static int64_t cursor_advance(struct shard_cursor *cursor) {
  const int64_t before = cursor->consumed;
  cursor->consumed = block_reader_consumed(cursor->reader);
  return cursor->consumed - before;
}

static bool cursor_open(struct shard_cursor *cursor, struct flow *flow, int32_t shard, struct error *error) {
  if (cursor->reader && cursor->shard == shard) return true;
  cursor_close(cursor);
  int32_t count;
  const struct shard *listed = &run_log_shards(flow->parts.log, &count)[shard];
  const struct block_source source = {.path = listed->path,
                                      .size = listed->size,
                                      .fingerprint = listed->fingerprint,
                                      .stop = &flow->draining,
                                      .head = strcmp(listed->path, "-") == 0 ? flow->parts.head : NULL};
  cursor->reader = block_reader_open(shard, &source, &flow->options.limits, error);
  cursor->shard = shard;
  cursor->consumed = 0;
  return cursor->reader != NULL;
}

enum reach {
  REACHED,
  REACHED_END,
  REACH_AGAIN,   /* read the shard from its start again, for the same claim */
  REACH_DAMAGED, /* the shard is damaged, or changed since the run began, so nothing leads to the block */
  REACH_STOPPED,
  REACH_FAILED
};

static bool reading_ends(struct flow *flow) {
  return atomic_load(&flow->draining);
}

static bool is_standard_input(const struct flow *flow, int32_t shard) {
  return strcmp(flow_shard_path(flow, shard), "-") == 0;
}

/* True if an earlier run recorded this block with other bytes. */
static bool border_is_other(const struct flow *flow, const struct block_border *border) {
  struct block_border recorded;
  return run_log_border(flow->parts.log, border->shard, border->index, &recorded) &&
         strcmp(recorded.hash, border->hash) != 0;
}

/* True if the shard now ends with this block, but did not when the block was recorded. */
static bool border_ends_earlier(const struct flow *flow, const struct block_border *border) {
  struct block_border recorded;
  return border->end_of_shard && run_log_border(flow->parts.log, border->shard, border->index, &recorded) &&
         !recorded.end_of_shard;
}

/* True if the shard is damaged in this block or right after it, but was not when the block was recorded. Of a
 * block that is not recorded, the rank that holds it will tell. */
static bool border_is_damaged(const struct flow *flow, const struct block_border *border) {
  return border->incomplete && run_log_part(flow->parts.log, border->shard, border->index) != NULL;
}

static bool shard_changed(const struct flow *flow, int32_t shard, const char *what, struct error *error) {
  return error_set(
      error, ERROR_CONFLICT,
      "shard %d (%s) is not the one that this run began with: %s; put the old one back, give another "
      "--out, or start anew with --overwrite",
      shard, flow_shard_path(flow, shard), what);
}

static bool border_changed(const struct flow *flow, const struct block_border *border, struct error *error) {
  const long long last = border->first_line + border->lines - 1;
  char what[96] = "it is empty";
  if (border->incomplete)
    snprintf(what, sizeof what, "it is damaged after line %lld", last);
  else if (border->lines > 0)
    snprintf(what, sizeof what, "its lines %lld to %lld have changed", (long long)border->first_line, last);
  return shard_changed(flow, border->shard, what, error);
}

static bool shard_shortened(const struct flow *flow, int32_t shard, struct error *error) {
  return shard_changed(flow, shard, "it has fewer lines", error);
}

/* Handles a skipped block that differs from its record. If the shard is damaged here, its parts stay until it
 * is repaired. If it was damaged in the earlier run, the blocks read before the damage showed may have been
 * wrong: do the shard again from this block. Otherwise somebody has changed the shard: fail. Standard input
 * cannot be read again from here. */
static enum reach border_differs(struct shard_cursor *cursor, struct flow *flow,
                                 const struct block_border *border, struct error *error) {
  const bool is_file = !is_standard_input(flow, border->shard);
  if (is_file && border_is_damaged(flow, border)) return REACH_DAMAGED;
  if (is_file && run_log_shard_damaged(flow->parts.log, border->shard)) {
    if (!ranks_shard_restarts(flow->parts.ranks, border->shard, border->index, error))
      return error->code == ERROR_NONE ? REACH_STOPPED : REACH_FAILED;
    cursor_close(cursor);
    return REACH_AGAIN;
  }
  if (border_is_other(flow, border) || border_is_damaged(flow, border)) {
    border_changed(flow, border, error);
  } else if (border_ends_earlier(flow, border)) {
    shard_shortened(flow, border->shard, error);
  } else { /* another rank has seen the same a moment ago and taken the part back */
    return REACH_AGAIN;
  }
  return REACH_FAILED;
}

/* Goes past the blocks before the claim's that are recorded, as far as the shard can be read from there: the
 * block before the claim's may be in another rank's hands. If the shard was damaged, goes nowhere: its start
 * may have changed too, so every block is compared. False on an error. */
static bool cursor_seek(struct shard_cursor *cursor, struct flow *flow, const struct claim *claim,
                        struct error *error) {
  struct block_border border;
  *error = (struct error){0};
  if (run_log_shard_damaged(flow->parts.log, claim->shard) ||
      !run_log_border_before(flow->parts.log, claim->shard, claim->block, &border) ||
      border.index < block_reader_position(cursor->reader))
    return true;
  return block_reader_seek(cursor->reader, &border, error) || error->code == ERROR_NONE;
}

/* Moves the cursor to the claim's block. */
static enum reach cursor_reach(struct shard_cursor *cursor, struct flow *flow, const struct claim *claim,
                               struct error *error) {
  /* If another rank handed the block back, it may lie behind the cursor. */
  if (cursor->reader && cursor->shard == claim->shard && block_reader_position(cursor->reader) > claim->block)
    cursor_close(cursor);
  if (!cursor_open(cursor, flow, claim->shard, error)) return REACH_FAILED;
  struct block_reader *reader = cursor->reader;
  if (claim->block == block_reader_position(reader)) return REACHED;
  struct block_border border;
  if (!cursor_seek(cursor, flow, claim, error)) return REACH_FAILED;
  while (block_reader_position(reader) < claim->block) {
    if (reading_ends(flow)) return REACH_STOPPED;
    if (block_reader_position(reader) == claim->counted) cursor_advance(cursor);
    const enum block_result result = block_reader_skip(reader, &border, error);
    if (result == BLOCK_FAILED) return REACH_FAILED;
    if (result == BLOCK_END) return REACHED_END;
    if (border.incomplete && block_reader_changed(reader)) return REACH_DAMAGED;
    if (border_is_other(flow, &border) || border_ends_earlier(flow, &border) ||
        border_is_damaged(flow, &border))
      return border_differs(cursor, flow, &border, error);
  }
  const int64_t passed = cursor_advance(cursor);
  if (claim->counted < claim->block) atomic_fetch_add(&flow->source_bytes_before, passed);
  return REACHED;
}

/* True if standard input ends with this block, and an earlier run committed blocks after it. (Of a file the
 * fingerprint is compared; a damaged file may be repaired by a shorter one.) */
static bool input_ends_before_its_record(const struct flow *flow, const struct block_border *border) {
  return border->end_of_shard && is_standard_input(flow, border->shard) &&
         run_log_shard_reaches(flow->parts.log, border->shard, border->index + 1);
}

/* Passes a block on that was read. */
static void pass_block(struct flow *flow, struct flow_block *work, int64_t *waited) {
  const struct block_border *border = &work->block.border;
  if (border->end_of_shard || border->incomplete)
    ranks_shard_ends(flow->parts.ranks, border->shard, border->index + 1);
  if (border->incomplete) flow_add_damage(flow, &work->block.damage);
  if (!flow_gate_enter(flow, work, waited) || !queue_push(&flow->read, work)) flow_release(flow, work);
}

/* The shard has changed, or is damaged, before the claim's block, which other ranks or an earlier run may
 * have read up to. An empty incomplete block in the claim's place ends the shard there: the other shards go
 * on, and the next start accepts the shard as it is then. */
static void give_up_block(struct flow *flow, struct shard_cursor *cursor, const struct claim *claim,
                          struct flow_block *work, int64_t *waited) {
  struct block_border previous;
  const bool known = run_log_border(flow->parts.log, claim->shard, claim->block - 1, &previous);
  atomic_store(&work->ahead, true);
  block_reader_give_up(cursor->reader, claim->block, known ? &previous : NULL, &work->block);
  work->source_bytes = 0;
  cursor_close(cursor);
  pass_block(flow, work, waited);
}

/* Reads the block at the cursor and passes it on. */
static bool read_block(struct flow *flow, struct shard_cursor *cursor, struct flow_block *work,
                       int64_t *waited, struct error *error) {
  atomic_store(&work->ahead, true);
  const enum block_result result = block_reader_next(cursor->reader, &work->block, error);
  if (result == BLOCK_FAILED) return false;
  const struct block_border *border = &work->block.border;
  if (result == BLOCK_END) {
    ranks_shard_ends(flow->parts.ranks, cursor->shard, block_reader_position(cursor->reader));
    flow_release(flow, work);
    return true;
  }
  if (input_ends_before_its_record(flow, border)) return shard_shortened(flow, border->shard, error);
  work->source_bytes = cursor_advance(cursor);
  pass_block(flow, work, waited);
  return true;
}

/* Does one claim: moves to its block, reads it and passes it on. False if the reader must end. */
static bool read_claim(struct flow *flow, struct shard_cursor *cursor, struct claim *claim, int64_t *waited,
                       struct error *error) {
  void *work;
  for (;;) switch (cursor_reach(cursor, flow, claim, error)) {
      case REACHED:
        if (!queue_pop(&flow->idle, &work, waited)) return false;
        return read_block(flow, cursor, work, waited, error);
      case REACH_DAMAGED:
        if (!queue_pop(&flow->idle, &work, waited)) return false;
        give_up_block(flow, cursor, claim, work, waited);
        return true;
      case REACHED_END:
        ranks_shard_ends(flow->parts.ranks, claim->shard, block_reader_position(cursor->reader));
        lookahead_leave(&flow->lookahead);
        return true;
      case REACH_AGAIN:
        claim->counted = claim->block; /* some skipped blocks will be done again: count none as progress */
        continue;
      case REACH_STOPPED:
      case REACH_FAILED:
        return false;
    }
}

/* Reads standard input to its end, past the last claim, and compares it with its record. Standard input has
 * no size and no fingerprint, so a changed input is not noticed at the start. */
static bool compare_rest(struct flow *flow, struct shard_cursor *cursor, int32_t shard, struct error *error) {
  if (!cursor_open(cursor, flow, shard, error)) return false;
  for (;;) {
    struct block_border border;
    const int32_t blocks = run_log_shard_blocks(flow->parts.log, shard);
    const int32_t position = block_reader_position(cursor->reader);
    switch (block_reader_skip(cursor->reader, &border, error)) {
      case BLOCK_FAILED:
        return false;
      case BLOCK_END:
        return position >= blocks || shard_shortened(flow, shard, error);
      case BLOCK_READ:
        break;
    }
    if (border.incomplete) return border_changed(flow, &border, error);
    if (blocks >= 0 && position >= blocks) return shard_changed(flow, shard, "it has more lines", error);
    if (border_is_other(flow, &border)) return border_changed(flow, &border, error);
  }
}

static bool compare_standard_input(struct flow *flow, struct shard_cursor *cursor, struct error *error) {
  int32_t count;
  run_log_shards(flow->parts.log, &count);
  for (int32_t shard = 0; shard < count; shard++)
    if (is_standard_input(flow, shard)) return compare_rest(flow, cursor, shard, error);
  return true;
}

void *stage_read(void *argument) {
  struct flow *flow = argument;
  struct shard_cursor cursor = {0};
  struct claim claim;
  struct error error = {0};
  int64_t waited = 0;
  bool ok = true;
  while (ok && !reading_ends(flow) && lookahead_enter(&flow->lookahead, &waited) &&
         ranks_claim(flow->parts.ranks, &claim, &waited))
    ok = read_claim(flow, &cursor, &claim, &waited, &error);
  if (ok && !reading_ends(flow) && flow->options.standard_input)
    ok = compare_standard_input(flow, &cursor, &error);
  /* If the flow stops, an early end is no failure, and neither is a read that the stop has ended. */
  flow->input_left = flow->options.standard_input && !(cursor.reader && block_reader_ended(cursor.reader));
  if (!ok && !reading_ends(flow)) flow_fail(flow, &error);
  cursor_close(&cursor);
  queue_close(&flow->read);
  flow_thread_ends(flow, STAGE_READ, waited);
  return NULL;
}
