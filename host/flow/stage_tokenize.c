/* The tokenizers: turn a block's lines into token ids, packed for the encoders. */
#include "host/flow/block_tokenizer.h"
#include "host/flow/equal_rows.h"
#include "host/flow/pack.h"
#include "host/flow/reuse.h"
#include "host/flow/stages.h"

/* One thread's tools. */
struct tokenizing {
  struct block_tokenizer *tokenizer;
  struct reuse_reader *reuse; /* NULL: no row is copied from earlier runs */
};

static bool tokenize_block(struct flow *flow, const struct tokenizing *tools, struct flow_block *work,
                           struct error *error) {
  const struct flow_options *options = &flow->options;
  const char *path = flow_shard_path(flow, work->block.border.shard);
  if (!block_tokenizer_run(tools->tokenizer, work, path, &flow->draining, error)) return false;
  flow_gate_correct(flow, work);
  if (options->hashes && !equal_rows_find(work))
    return error_set_memory(error, (size_t)work->rows * 2 * sizeof *work->table, "a block's equal rows");
  if (!flow_block_reserve_vectors(work, options->widths, options->width_count))
    return error_set_memory(error, (size_t)work->rows * 2 * (size_t)options->widths[0], "a block's vectors");
  if (tools->reuse && !reuse_rows(tools->reuse, work, options, error)) return false;
  return pack_batches(work, flow->parts.encoder->info.batch_tokens) ||
         error_set_memory(error, (size_t)work->tokens * sizeof *work->packed, "a block's batches");
}

static bool tools_open(struct flow *flow, struct tokenizing *tools, struct error *error) {
  tools->tokenizer = block_tokenizer_open(&flow->options, flow->parts.tokenizer, error);
  if (!tools->tokenizer || !flow->parts.reuse) return tools->tokenizer != NULL;
  tools->reuse = reuse_reader_open(flow->parts.reuse, error);
  return tools->reuse != NULL;
}

void *stage_tokenize(void *argument) {
  struct flow *flow = argument;
  struct error error = {0};
  int64_t waited = 0;
  void *item;
  struct tokenizing tools = {0};
  if (!tools_open(flow, &tools, &error)) flow_fail(flow, &error);
  while (queue_pop(&flow->read, &item, &waited)) {
    struct flow_block *work = item;
    const bool done = atomic_load(&flow->draining) || tokenize_block(flow, &tools, work, &error);
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
    atomic_fetch_add(&flow->seen.rows, work->rows - work->packed_rows);
    atomic_fetch_add(&flow->seen.documents,
                     work->documents - flow_block_documents(work, work->order, work->packed_rows));
    atomic_fetch_add(&flow->seen.tokens, work->tokens - work->packed_tokens);
    flow_dispatch(flow, work);
  }
  reuse_reader_close(tools.reuse);
  block_tokenizer_close(tools.tokenizer);
  if (atomic_fetch_sub(&flow->tokenizers, 1) == 1) queue_close(&flow->batches);
  flow_thread_ends(flow, STAGE_TOKENIZE, waited);
  return NULL;
}
