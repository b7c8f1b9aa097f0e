/* The encoders: one thread a slot. A batch's rows come back in packed order and are put in the order of the
 * lines. Before that the slot gets its next batch, so that a card does not wait. */
#include "host/flow/slot_rows.h"
#include "host/flow/stages.h"

/* The batch's share of the bytes that its block took from the shard's file. */
static int64_t batch_source_bytes(const struct flow_batch *part, int64_t tokens) {
  return (int64_t)((double)part->work->source_bytes * (double)tokens / (double)part->work->packed_tokens);
}

/* One slot's thread. */
struct encoding {
  struct flow *flow;
  int32_t slot;
  struct slot_rows rows;
  const struct flow_batch *held; /* batch whose rows are in `rows`, not yet in place; or NULL */
  int64_t waited, batches;
};

/* Ends a batch, whether it is encoded or dropped. After its last batch the block moves on. */
static void batch_end(struct flow *flow, struct flow_block *work) {
  if (atomic_fetch_sub(&work->batches_left, 1) > 1) return;
  if (atomic_load(&flow->stopping) || atomic_load(&work->dropped) || !queue_push(&flow->encoded, work))
    flow_release(flow, work);
}

static void held_place(struct encoding *this) {
  const struct flow_batch *part = this->held;
  if (!part) return;
  struct flow *flow = this->flow;
  const int64_t tokens = part->work->offsets[part->first_offset + part->sequences];
  slot_rows_scatter(&this->rows, &flow->options, part);
  atomic_fetch_add(&flow->seen.rows, part->sequences);
  atomic_fetch_add(&flow->seen.documents,
                   flow_block_documents(part->work, part->work->order + part->first_row, part->sequences));
  atomic_fetch_add(&flow->seen.tokens, tokens);
  atomic_fetch_add(&flow->seen.source_bytes, batch_source_bytes(part, tokens));
  this->held = NULL;
  batch_end(flow, part->work);
}

/* The next batch; NULL at the end. If no batch is ready, first puts the held rows in place. */
static const struct flow_batch *batch_next(struct encoding *this) {
  struct flow *flow = this->flow;
  const int64_t before = this->waited;
  void *item;
  if (!this->held || !queue_try_pop(&flow->batches, &item)) {
    held_place(this);
    if (!queue_pop(&flow->batches, &item, &this->waited)) return NULL;
  }
  if (this->batches++ > 0 && this->waited > before) lookahead_grow(&flow->lookahead);
  return item;
}

/* Submits a batch, puts the rows of the batch before in place, then waits for the encoder. */
static bool batch_encode(struct encoding *this, const struct flow_batch *part, struct error *error) {
  struct flow *flow = this->flow;
  struct encoder *encoder = flow->parts.encoder;
  const struct batch batch = slot_batch(&flow->options, part);
  const char *path = flow_shard_path(flow, part->work->block.border.shard);
  if (!encoder_submit(encoder, this->slot, &batch, error)) return slot_blame_row(part, path, -1, error);
  held_place(this);
  /* If there is no room for the rows, do not wait for them: the encoder's close waits. */
  if (!slot_rows_reserve(&this->rows, &flow->options, part->sequences, error)) return false;
  if (!encoder_wait(encoder, this->slot, this->rows.rows, error))
    return slot_blame_row(part, path, encoder_blamed(encoder, this->slot), error);
  this->held = part;
  return true;
}

void *stage_encode(void *argument) {
  struct flow *flow = argument;
  struct encoding this = {.flow = flow, .slot = atomic_fetch_add(&flow->next_slot, 1)};
  struct error error = {0};
  const struct flow_batch *part;
  while ((part = batch_next(&this))) {
    struct flow_block *work = part->work;
    if (flow_no_longer_ahead(flow, work) && atomic_load(&flow->draining)) atomic_store(&work->dropped, true);
    const bool wanted = !atomic_load(&flow->stopping) && !atomic_load(&work->dropped);
    if (wanted && batch_encode(&this, part, &error)) continue;
    if (wanted) flow_fail(flow, &error);
    batch_end(flow, work);
  }
  slot_rows_free(&this.rows);
  if (atomic_fetch_sub(&flow->encoders, 1) == 1) queue_close(&flow->encoded);
  flow_thread_ends(flow, STAGE_ENCODE, this.waited);
  return NULL;
}
