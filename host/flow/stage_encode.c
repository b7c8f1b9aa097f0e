/* The encoders: one thread a slot. A batch's rows come back in packed order and are put in the order of the
 * lines. Before that the slot gets its next batch, so that a card does not wait. */
#include <stdlib.h>
#include <string.h>

#include "host/flow/stages.h"

/* One slot's output buffers: rows[w] [capacity, widths[w]]. */
struct slot_rows {
  uint16_t *rows[WIDTHS_MAX];
  int64_t capacity;
};

static void slot_rows_free(struct slot_rows *slot) {
  for (int w = 0; w < WIDTHS_MAX; w++) free(slot->rows[w]);
  *slot = (struct slot_rows){0};
}

static bool slot_rows_reserve(struct slot_rows *slot, const struct flow_options *options, int64_t rows) {
  if (rows <= slot->capacity) return true;
  slot_rows_free(slot);
  for (int32_t w = 0; w < options->width_count; w++) {
    slot->rows[w] = malloc((size_t)rows * (size_t)options->widths[w] * sizeof(uint16_t));
    if (!slot->rows[w]) return false;
  }
  slot->capacity = rows;
  return true;
}

static void scatter_rows(const struct flow_options *options, const struct flow_batch *part,
                         const struct slot_rows *slot) {
  const struct flow_block *work = part->work;
  for (int32_t w = 0; w < options->width_count; w++) {
    const size_t width = (size_t)options->widths[w];
    for (int32_t i = 0; i < part->sequences; i++)
      memcpy(work->vectors[w] + (size_t)work->order[part->first_row + i] * width,
             slot->rows[w] + (size_t)i * width, width * sizeof(uint16_t));
  }
}

/* Adds the cause to an encoder's error: the document whose row failed, or the block. */
static bool batch_blame(struct flow *flow, int32_t blamed, const struct flow_batch *part,
                        struct error *error) {
  const struct flow_block *work = part->work;
  const struct block_border *border = &work->block.border;
  if (blamed < 0) return error_prefix(error, "block %d of shard %d", border->index, border->shard);
  const struct flow_row *row = &work->row[work->order[part->first_row + blamed]];
  return error_prefix(error, "%s:%lld", flow_shard_path(flow, border->shard),
                      (long long)(border->first_line + row->line));
}

/* The batch's share of the bytes that its block took from the shard's file. */
static int64_t batch_source_bytes(const struct flow_batch *part, int64_t tokens) {
  return (int64_t)((double)part->work->source_bytes * (double)tokens / (double)part->work->tokens);
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
  scatter_rows(&flow->options, part, &this->rows);
  atomic_fetch_add(&flow->seen.documents, part->sequences);
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
  const struct flow_block *work = part->work;
  const struct batch batch = {.ids = work->packed + part->first_token,
                              .offsets = work->offsets + part->first_offset,
                              .sequences = part->sequences,
                              .prompt_tokens = flow->options.prompt_tokens};
  if (!encoder_submit(encoder, this->slot, &batch, error)) return batch_blame(flow, -1, part, error);
  held_place(this);
  /* If there is no room for the rows, do not wait for them: the encoder's close waits. */
  if (!slot_rows_reserve(&this->rows, &flow->options, part->sequences))
    return error_set_memory(error, (size_t)part->sequences * (size_t)flow->options.widths[0] * 2,
                            "a batch's rows");
  if (!encoder_wait(encoder, this->slot, this->rows.rows, error))
    return batch_blame(flow, encoder_blamed(encoder, this->slot), part, error);
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
