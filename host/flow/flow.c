#include "host/flow/flow.h"

#include <stdlib.h>
#include <string.h>

#include "host/flow/stages.h"
#include "io/clock.h"

const char *flow_stage_name(enum flow_stage stage) {
  static const char *const names[STAGES] = {"reader", "tokenizers", "encoder", "committers"};
  return names[stage];
}

void flow_drain(struct flow *flow) {
  atomic_store(&flow->draining, true);
  ranks_quit(flow->parts.ranks);
  lookahead_close(&flow->lookahead);
}

void flow_stop(struct flow *flow) {
  atomic_store(&flow->stopping, true);
  flow_drain(flow);
  queue_close(&flow->idle);
  pthread_mutex_lock(&flow->gate_lock);
  pthread_cond_broadcast(&flow->gate_open);
  pthread_mutex_unlock(&flow->gate_lock);
}

const char *flow_shard_path(const struct flow *flow, int32_t shard) {
  int32_t count;
  return run_log_shards(flow->parts.log, &count)[shard].path;
}

void flow_fail(struct flow *flow, const struct error *error) {
  pthread_mutex_lock(&flow->error_lock);
  if (!flow->failed) flow->error = *error;
  flow->failed = true;
  pthread_mutex_unlock(&flow->error_lock);
  flow_stop(flow);
}

void flow_add_damage(struct flow *flow, const struct error *damage) {
  pthread_mutex_lock(&flow->error_lock);
  struct error *grown = realloc(flow->damage, (size_t)(flow->damage_count + 1) * sizeof *flow->damage);
  if (grown) {
    flow->damage = grown;
    flow->damage[flow->damage_count++] = *damage;
  }
  pthread_mutex_unlock(&flow->error_lock);
}

/* Bytes of a row besides its vectors: its ids' line and its hash, tokens, text and fields, about. */
#define ROW_BYTES 1024

/* What a block holds in the gate. A document has one row, or any number of chunks, whose vectors may need far
 * more memory than the text. */
static size_t gate_weight(const struct flow_options *options, int64_t rows, int64_t bytes) {
  int64_t row_bytes = ROW_BYTES;
  if (options->chunks.tokens == 0) return (size_t)bytes;
  for (int32_t w = 0; w < options->width_count; w++)
    row_bytes += (int64_t)sizeof(uint16_t) * options->widths[w];
  return (size_t)(bytes + rows * row_bytes);
}

/* The same of so many lines with so many bytes, as long as their rows are not known. */
static size_t gate_weight_expected(const struct flow_options *options, int64_t lines, int64_t bytes) {
  return gate_weight(options, flow_block_rows_expected(&options->chunks, lines, bytes), bytes);
}

void flow_gate_correct(struct flow *flow, struct flow_block *work) {
  const size_t bytes = gate_weight(&flow->options, work->rows, (int64_t)work->block.text_size);
  pthread_mutex_lock(&flow->gate_lock);
  flow->gate_bytes += bytes - work->gate_bytes;
  pthread_cond_signal(&flow->gate_open);
  pthread_mutex_unlock(&flow->gate_lock);
  work->gate_bytes = bytes;
}

bool flow_gate_enter(struct flow *flow, struct flow_block *work, int64_t *waited) {
  const size_t bytes =
      gate_weight_expected(&flow->options, work->block.border.lines, (int64_t)work->block.text_size);
  pthread_mutex_lock(&flow->gate_lock);
  const int64_t start = clock_now();
  while (flow->gate_bytes > 0 && flow->gate_bytes + bytes > flow->gate_limit && !atomic_load(&flow->stopping))
    pthread_cond_wait(&flow->gate_open, &flow->gate_lock);
  *waited += clock_now() - start;
  flow->gate_bytes += bytes;
  pthread_mutex_unlock(&flow->gate_lock);
  work->gate_bytes = bytes;
  return !atomic_load(&flow->stopping);
}

bool flow_no_longer_ahead(struct flow *flow, struct flow_block *work) {
  const bool was_ahead = atomic_exchange(&work->ahead, false);
  if (was_ahead) lookahead_leave(&flow->lookahead);
  return was_ahead;
}

void flow_release(struct flow *flow, struct flow_block *work) {
  flow_no_longer_ahead(flow, work);
  flow_block_clear(work, flow->work_keep, flow->work_keep_rows);
  pthread_mutex_lock(&flow->gate_lock);
  flow->gate_bytes -= work->gate_bytes;
  pthread_cond_signal(&flow->gate_open);
  pthread_mutex_unlock(&flow->gate_lock);
  work->gate_bytes = 0;
  queue_push(&flow->idle, work); /* refused if the flow stops: the block is freed with the flow */
}

void flow_dispatch(struct flow *flow, struct flow_block *work) {
  const struct error memory = {ERROR_MEMORY, "out of memory for a queue"};
  const int32_t count = work->batch_count;
  if (count == 0) {
    flow_no_longer_ahead(flow, work);
    if (!queue_push(&flow->encoded, work)) {
      flow_fail(flow, &memory);
      flow_release(flow, work);
    }
    return;
  }
  atomic_store(&work->batches_left, count);
  for (int32_t i = 0; i < count; i++) {
    /* After the last push the block may be gone: do not touch it. */
    if (queue_push(&flow->batches, &work->batch[i])) continue;
    flow_fail(flow, &memory);
    if (atomic_fetch_sub(&work->batches_left, 1) == 1) flow_release(flow, work);
  }
}

void flow_thread_ends(struct flow *flow, enum flow_stage stage, int64_t waited) {
  atomic_fetch_add(&flow->clock[stage].busy, clock_now() - flow->start - waited);
  if (atomic_fetch_sub(&flow->running, 1) == 1) atomic_store(&flow->end, clock_now());
}

/* Bytes of the shards that earlier runs finished. A partly done shard counts later, when it is read. */
static int64_t finished_bytes(const struct run_log *log) {
  int32_t count;
  int64_t bytes = 0;
  const struct shard *shards = run_log_shards(log, &count);
  for (int32_t s = 0; s < count; s++) {
    const int32_t blocks = run_log_shard_blocks(log, s);
    int32_t done = 0;
    while (done < blocks && run_log_part(log, s, done)) done++;
    if (blocks > 0 && done == blocks && shards[s].size > 0) bytes += shards[s].size;
  }
  return bytes;
}

static bool flow_init(struct flow *flow, struct error *error) {
  const struct flow_options *options = &flow->options;
  const int32_t slots = flow->parts.encoder->info.slots;
  /* One block for each thread that works on blocks, one read ahead for each, and two for the encoder's
   * tail. */
  flow->work_count = 2 * options->threads + 2;
  flow->work_keep = flow_block_keep(options->limits.bytes);
  flow->work_keep_rows = flow_block_keep_rows(&options->limits, &options->chunks);
  flow->gate_limit =
      (size_t)flow->work_count * gate_weight_expected(options, options->limits.lines, options->limits.bytes);
  lookahead_init(&flow->lookahead, flow->work_count);
  pthread_mutex_init(&flow->gate_lock, NULL);
  pthread_cond_init(&flow->gate_open, NULL);
  pthread_mutex_init(&flow->error_lock, NULL);
  atomic_store(&flow->tokenizers, options->threads);
  atomic_store(&flow->encoders, slots);
  flow->clock[STAGE_READ].threads = 1;
  flow->clock[STAGE_TOKENIZE].threads = flow->clock[STAGE_COMMIT].threads = options->threads;
  flow->clock[STAGE_ENCODE].threads = slots;
  flow->thread_count = 1 + 2 * options->threads + slots;
  flow->thread = calloc((size_t)flow->thread_count, sizeof *flow->thread);
  flow->work = calloc((size_t)flow->work_count, sizeof *flow->work);
  if (!flow->thread || !flow->work || !queue_init(&flow->idle, (size_t)flow->work_count) ||
      !queue_init(&flow->read, (size_t)flow->work_count) || !queue_init(&flow->batches, 1024) ||
      !queue_init(&flow->encoded, (size_t)flow->work_count))
    return error_set_memory(error, (size_t)flow->work_count * sizeof *flow->work, "the pipeline");
  for (int32_t i = 0; i < flow->work_count; i++) queue_push(&flow->idle, &flow->work[i]);
  return true;
}

static void flow_free(struct flow *flow) {
  for (int32_t i = 0; flow->work && i < flow->work_count; i++) flow_block_free(&flow->work[i]);
  queue_free(&flow->idle);
  queue_free(&flow->read);
  queue_free(&flow->batches);
  queue_free(&flow->encoded);
  lookahead_free(&flow->lookahead);
  pthread_mutex_destroy(&flow->gate_lock);
  pthread_cond_destroy(&flow->gate_open);
  pthread_mutex_destroy(&flow->error_lock);
  free(flow->work);
  free(flow->thread);
  free(flow->damage);
  free(flow);
}

/* Starts all threads. If one cannot start, ends the others and fails. */
static bool flow_start_threads(struct flow *flow, struct error *error) {
  void *(*const entry[STAGES])(void *) = {stage_read, stage_tokenize, stage_encode, stage_commit};
  int32_t started = 0;
  atomic_store(&flow->running, flow->thread_count);
  for (int stage = STAGES - 1; stage >= 0; stage--) {
    for (int32_t i = 0; i < flow->clock[stage].threads; i++, started++) {
      const int status = pthread_create(&flow->thread[started], NULL, entry[stage], flow);
      if (status == 0) continue;
      error_set(error, ERROR_MEMORY, "cannot start thread %d of %d: %s; pass fewer --threads", started + 1,
                flow->thread_count, strerror(status));
      goto fail;
    }
  }
  return true;

fail:
  /* The stages before the failed one never ran, so close their queues for them. */
  flow_stop(flow);
  queue_close(&flow->read);
  queue_close(&flow->batches);
  queue_close(&flow->encoded);
  for (int32_t i = 0; i < started; i++) pthread_join(flow->thread[i], NULL);
  return false;
}

struct flow *flow_start(const struct flow_options *options, const struct flow_parts *parts,
                        struct error *error) {
  struct flow *flow = calloc(1, sizeof *flow);
  if (!flow) {
    error_set_memory(error, sizeof *flow, "the pipeline");
    return NULL;
  }
  flow->options = *options;
  flow->parts = *parts;
  flow->start = clock_now();
  flow->source_bytes_finished = finished_bytes(parts->log);
  atomic_store(&flow->source_bytes_before, flow->source_bytes_finished);
  if (!flow_init(flow, error) || !flow_start_threads(flow, error)) {
    flow_free(flow);
    return NULL;
  }
  return flow;
}

bool flow_running(struct flow *flow) {
  return atomic_load(&flow->running) > 0;
}

void flow_progress_now(struct flow *flow, struct flow_progress *progress) {
  const int64_t end = atomic_load(&flow->end);
  const int64_t elapsed = (end ? end : clock_now()) - flow->start;
  struct flow_counts *counts = end ? &flow->committed : &flow->seen;
  *progress = (struct flow_progress){
      .documents = atomic_load(&counts->documents),
      .rows = atomic_load(&counts->rows),
      .tokens = atomic_load(&counts->tokens),
      .rejected = atomic_load(&counts->rejected),
      .truncated = atomic_load(&counts->truncated),
      .blank = atomic_load(&counts->blank),
      .blocks = atomic_load(&flow->blocks),
      .encoded = atomic_load(&flow->committed.encoded),
      .encoded_tokens = atomic_load(&flow->committed.encoded_tokens),
      .reused = atomic_load(&flow->committed.reused),
      .reused_tokens = atomic_load(&flow->committed.reused_tokens),
      .there = {.title = atomic_load(&flow->title_there), .kept = atomic_load(&flow->kept_there)},
      .batches = atomic_load(&flow->committed.batches),
      .padded_tokens = atomic_load(&flow->committed.padded_tokens),
      .source_bytes = atomic_load(&counts->source_bytes),
      .source_bytes_before = atomic_load(&flow->source_bytes_before),
      .source_bytes_finished = flow->source_bytes_finished,
      .nanoseconds = elapsed};
  for (int stage = 0; stage < STAGES; stage++) {
    const int64_t time = elapsed * flow->clock[stage].threads, worked = atomic_load(&flow->clock[stage].busy);
    progress->busy[stage] = time > 0 ? (double)worked / (double)time : 0;
    progress->times.worked[stage] = worked;
    progress->times.waited[stage] = time - worked;
  }
}

bool flow_finish(struct flow *flow, struct flow_progress *progress, flow_damage_fn *report, void *context,
                 struct error *error) {
  for (int32_t i = 0; i < flow->thread_count; i++) pthread_join(flow->thread[i], NULL);
  flow_progress_now(flow, progress);
  progress->times.encoder = encoder_times_now(flow->parts.encoder);
  progress->input_left = flow->input_left;
  for (int32_t i = 0; i < flow->damage_count; i++) report(context, &flow->damage[i]);
  const bool done = !flow->failed;
  if (!done) *error = flow->error;
  flow_free(flow);
  return done;
}
