/* The tokenizers: turn a block's lines into token ids, packed for the encoders. */
#include "host/flow/block_tokenizer.h"
#include "host/flow/equal_rows.h"
#include "host/flow/pack.h"
#include "host/flow/stages.h"

static bool tokenize_block(struct flow *flow, struct block_tokenizer *tools, struct flow_block *work,
                           struct error *error) {
  const struct flow_options *options = &flow->options;
  const char *path = flow_shard_path(flow, work->block.border.shard);
  if (!block_tokenizer_run(tools, work, path, &flow->draining, error)) return false;
  if (options->hashes && !equal_rows_find(work))
    return error_set_memory(error, (size_t)work->rows * 2 * sizeof *work->table, "a block's equal rows");
  if (!pack_batches(work, flow->parts.encoder->info.batch_tokens) ||
      !flow_block_reserve_vectors(work, options->widths, options->width_count))
    return error_set_memory(error, (size_t)work->rows * 2 * (size_t)options->widths[0], "a block's vectors");
  return true;
}

void *stage_tokenize(void *argument) {
  struct flow *flow = argument;
  struct error error = {0};
  int64_t waited = 0;
  void *item;
  struct block_tokenizer *tools = block_tokenizer_open(&flow->options, flow->parts.tokenizer, &error);
  if (!tools) flow_fail(flow, &error);
  while (queue_pop(&flow->read, &item, &waited)) {
    struct flow_block *work = item;
    const bool done = atomic_load(&flow->draining) || tokenize_block(flow, tools, work, &error);
    if (!done) flow_fail(flow, &error);
    /* Look after the work: a stop may have cut the block short, and then the block must not go on. */
    if (atomic_load(&flow->draining)) {
      flow_release(flow, work);
      continue;
    }
    atomic_fetch_add(&flow->seen.rejected, work->rejected);
    atomic_fetch_add(&flow->seen.truncated, work->truncated);
    atomic_fetch_add(&flow->seen.blank, work->blank);
    /* The encoders count the others, batch by batch. */
    atomic_fetch_add(&flow->seen.documents, work->rows - work->packed_rows);
    atomic_fetch_add(&flow->seen.tokens, work->tokens - work->packed_tokens);
    flow_dispatch(flow, work);
  }
  block_tokenizer_close(tools);
  if (atomic_fetch_sub(&flow->tokenizers, 1) == 1) queue_close(&flow->batches);
  flow_thread_ends(flow, STAGE_TOKENIZE, waited);
  return NULL;
}
