/* The encoders: one thread a slot. Rows of a batch come back in packed order and go to their places in the
 * order of the lines. */
#include <stdlib.h>
#include <string.h>

#include "host/flow/stages.h"

/* Where one slot's encoder writes: rows[w] [capacity, widths[w]]. */
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

/* Names what an encoder's error is about: the document whose row is the reason, or the block. */
static bool batch_blame(struct flow *flow, int32_t blamed, const struct flow_batch *part,
                        struct error *error) {
  const struct flow_block *work = part->work;
  const struct block_border *border = &work->block.border;
  if (blamed < 0) return error_prefix(error, "block %d of shard %d", border->index, border->shard);
  const struct flow_row *row = &work->row[work->order[part->first_row + blamed]];
  return error_prefix(error, "%s:%lld", flow_shard_path(flow, border->shard),
                      (long long)(border->first_line + row->line));
}

static bool encode_batch(struct flow *flow, int32_t slot, struct slot_rows *rows,
                         const struct flow_batch *part, struct error *error) {
  const struct flow_block *work = part->work;
  const struct batch batch = {.ids = work->packed + part->first_token,
                              .offsets = work->offsets + part->first_offset,
                              .sequences = part->sequences,
                              .prompt_tokens = flow->options.prompt_tokens};
  if (!slot_rows_reserve(rows, &flow->options, part->sequences))
    return error_set_memory(error, (size_t)part->sequences * (size_t)flow->options.widths[0] * 2,
                            "a batch's rows");
  if (!encoder_submit(flow->parts.encoder, slot, &batch, error)) return batch_blame(flow, -1, part, error);
  if (!encoder_wait(flow->parts.encoder, slot, rows->rows, error))
    return batch_blame(flow, encoder_blamed(flow->parts.encoder, slot), part, error);
  scatter_rows(&flow->options, part, rows);
  return true;
}

/* The batch's share of the bytes that its block took from the shard's file. */
static int64_t batch_source_bytes(const struct flow_batch *part, int64_t tokens) {
  return (int64_t)((double)part->work->source_bytes * (double)tokens / (double)part->work->tokens);
}

void *stage_encode(void *argument) {
  struct flow *flow = argument;
  const int32_t slot = atomic_fetch_add(&flow->next_slot, 1);
  struct slot_rows rows = {0};
  struct error error = {0};
  int64_t waited = 0;
  void *item;
  int64_t batches = 0;
  for (;; batches++) {
    const int64_t before = waited;
    if (!queue_pop(&flow->batches, &item, &waited)) break;
    if (batches > 0 && waited > before) lookahead_grow(&flow->lookahead);
    const struct flow_batch *part = item;
    struct flow_block *work = part->work;
    if (flow_no_longer_ahead(flow, work) && atomic_load(&flow->draining)) atomic_store(&work->dropped, true);
    if (!atomic_load(&flow->stopping) && !atomic_load(&work->dropped)) {
      if (encode_batch(flow, slot, &rows, part, &error)) {
        const int64_t tokens = work->offsets[part->first_offset + part->sequences];
        atomic_fetch_add(&flow->seen.documents, part->sequences);
        atomic_fetch_add(&flow->seen.tokens, tokens);
        atomic_fetch_add(&flow->seen.source_bytes, batch_source_bytes(part, tokens));
      } else {
        flow_fail(flow, &error);
      }
    }
    if (atomic_fetch_sub(&work->batches_left, 1) > 1) continue;
    if (atomic_load(&flow->stopping) || atomic_load(&work->dropped) || !queue_push(&flow->encoded, work))
      flow_release(flow, work);
  }
  slot_rows_free(&rows);
  if (atomic_fetch_sub(&flow->encoders, 1) == 1) queue_close(&flow->encoded);
  flow_thread_ends(flow, STAGE_ENCODE, waited);
  return NULL;
}
