#include "host/job/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host/flow/pack.h"
#include "io/clock.h"
#include "io/zst_size.h"

/* Shared by the slots' threads, which only read. */
struct measuring {
  struct encoder *encoder;
  const struct flow_options *options;
  const struct row_sample *rows;
  const struct shard *shards;
  const atomic_int *stop;
  struct flow_block work; /* the rows, packed */
};

/* State of one thread. */
struct slot_rate {
  struct measuring *shared;
  int32_t slot;
  pthread_t thread;
  uint16_t *rows[WIDTHS_MAX];
  int64_t tokens, timed_tokens, nanoseconds;
  double raw[WIDTHS_MAX], stored[WIDTHS_MAX];
  bool failed;
  struct error error;
};

int64_t rate_budget(const struct encoder *encoder) {
  return (int64_t)encoder->info.slots * encoder->info.batch_tokens * 2 * RATE_BATCHES;
}

/* Packs the rows into one block, in the sample's order. */
static bool measuring_pack(struct measuring *shared, struct error *error) {
  struct flow_block *work = &shared->work;
  const struct row_sample *rows = shared->rows;
  bool ok = flow_block_reserve(&work->ids, &work->token_capacity, rows->tokens, sizeof *work->ids) &&
            flow_block_reserve(&work->row, &work->row_capacity, rows->count, sizeof *work->row);
  for (int64_t i = 0; ok && i < rows->count; i++) {
    const struct sampled_row *row = &rows->row[i];
    work->row[work->rows++] = (struct flow_row){.first_token = work->tokens, .tokens = row->tokens};
    memcpy(work->ids + work->tokens, row->ids, (size_t)row->tokens * sizeof *row->ids);
    work->tokens += row->tokens;
  }
  ok = ok && pack_batches(work, shared->encoder->info.batch_tokens);
  return ok || error_set_memory(error, (size_t)rows->tokens * sizeof *work->ids, "a sample of the rows");
}

/* Batches are sorted from the longest to the shortest rows, so the first few would not represent all.
 * Therefore the slots walk in steps of about 0.618 of the number of batches. The step shares no factor with
 * this number, so no batch repeats before all have had their turn. */
static int64_t batch_step(int64_t count) {
  int64_t step = (int64_t)((double)count * 0.618);
  for (; step > 1; step--) {
    int64_t a = count, b = step;
    while (b) {
      const int64_t rest = a % b;
      a = b;
      b = rest;
    }
    if (a == 1) return step;
  }
  return 1;
}

static bool slot_reserve(struct slot_rate *slot) {
  const struct measuring *shared = slot->shared;
  int32_t most = 0;
  for (int32_t b = 0; b < shared->work.batch_count; b++)
    if (shared->work.batch[b].sequences > most) most = shared->work.batch[b].sequences;
  for (int32_t w = 0; w < shared->options->width_count; w++) {
    const size_t bytes = (size_t)most * (size_t)shared->options->widths[w] * sizeof(uint16_t);
    slot->rows[w] = malloc(bytes);
    if (!slot->rows[w]) return error_set_memory(&slot->error, bytes, "a batch's rows");
  }
  return true;
}

/* Names the document as the run would. */
static bool slot_blame(struct slot_rate *slot, const struct flow_batch *part) {
  const struct measuring *shared = slot->shared;
  const int32_t blamed = encoder_blamed(shared->encoder, slot->slot);
  if (blamed < 0) return error_prefix(&slot->error, "a batch of the sample");
  const struct sampled_row *row = &shared->rows->row[shared->work.order[part->first_row + blamed]];
  return error_prefix(&slot->error, "%s, byte %lld", shared->shards[row->shard].path, (long long)row->offset);
}

static bool slot_encode(struct slot_rate *slot, int64_t number) {
  const struct measuring *shared = slot->shared;
  const struct flow_block *work = &shared->work;
  const struct flow_batch *part = &work->batch[number];
  const struct batch batch = {.ids = work->packed + part->first_token,
                              .offsets = work->offsets + part->first_offset,
                              .sequences = part->sequences,
                              .prompt_tokens = shared->options->prompt_tokens};
  if (!encoder_submit(shared->encoder, slot->slot, &batch, &slot->error)) return false;
  if (!encoder_wait(shared->encoder, slot->slot, slot->rows, &slot->error)) return slot_blame(slot, part);
  slot->tokens += work->offsets[part->first_offset + part->sequences];
  return true;
}

/* Measures how well a batch's rows compress. */
static bool slot_compress(struct slot_rate *slot, int64_t number) {
  const struct flow_options *options = slot->shared->options;
  const int32_t sequences = slot->shared->work.batch[number].sequences;
  for (int32_t w = 0; w < options->width_count; w++) {
    const size_t bytes = (size_t)sequences * (size_t)options->widths[w] * sizeof(uint16_t);
    const int64_t stored = zst_size(slot->rows[w], bytes, options->zstd_level, &slot->error);
    if (stored < 0) return false;
    slot->raw[w] += (double)bytes;
    slot->stored[w] += (double)stored;
  }
  return true;
}

static void *slot_run(void *argument) {
  struct slot_rate *slot = argument;
  const struct measuring *shared = slot->shared;
  const int64_t count = shared->work.batch_count, step = batch_step(count);
  int64_t number = slot->slot * step % count;
  bool ok = slot_reserve(slot) && slot_encode(slot, number) && slot_compress(slot, number);
  const int64_t begun = clock_now(), before = slot->tokens;
  for (int64_t done = 0; ok && !atomic_load(shared->stop); done++) {
    const double seconds = (double)(clock_now() - begun) / 1e9;
    if (seconds > RATE_SECONDS_MOST || (done >= RATE_BATCHES && seconds > RATE_SECONDS_LEAST)) break;
    number = (number + shared->encoder->info.slots * step) % count;
    ok = slot_encode(slot, number);
  }
  slot->nanoseconds = clock_now() - begun;
  slot->timed_tokens = slot->tokens - before;
  slot->failed = !ok;
  return NULL;
}

static void rate_sum(const struct slot_rate *slots, int32_t count, struct rate *rate) {
  double raw[WIDTHS_MAX] = {0}, stored[WIDTHS_MAX] = {0};
  *rate = (struct rate){0};
  for (int32_t s = 0; s < count; s++) {
    rate->tokens += slots[s].timed_tokens;
    if (slots[s].nanoseconds > 0)
      rate->tokens_per_second += (double)slots[s].timed_tokens / ((double)slots[s].nanoseconds / 1e9);
    for (int w = 0; w < WIDTHS_MAX; w++) {
      raw[w] += slots[s].raw[w];
      stored[w] += slots[s].stored[w];
    }
  }
  for (int w = 0; w < WIDTHS_MAX; w++) rate->stored[w] = raw[w] > 0 ? stored[w] / raw[w] : 1;
}

/* Runs a thread for each slot and returns one slot's error. */
static bool slots_run(struct slot_rate *slots, struct measuring *shared, struct error *error) {
  const int32_t count = shared->encoder->info.slots;
  int32_t started = 0;
  bool ok = true;
  for (; ok && started < count; started++) {
    slots[started] = (struct slot_rate){.shared = shared, .slot = started};
    ok = pthread_create(&slots[started].thread, NULL, slot_run, &slots[started]) == 0;
    if (!ok) error_set(error, ERROR_MEMORY, "cannot start a thread for the encoder: pass fewer --threads");
    if (!ok) break;
  }
  for (int32_t s = 0; s < started; s++) {
    pthread_join(slots[s].thread, NULL);
    for (int w = 0; w < WIDTHS_MAX; w++) free(slots[s].rows[w]);
    if (ok && slots[s].failed) {
      *error = slots[s].error;
      ok = false;
    }
  }
  return ok;
}

bool rate_measure(struct encoder *encoder, const struct flow_options *options, const struct row_sample *rows,
                  const struct shard *shards, const atomic_int *stop, struct rate *rate,
                  struct error *error) {
  struct measuring shared = {
      .encoder = encoder, .options = options, .rows = rows, .shards = shards, .stop = stop};
  struct slot_rate *slots = calloc((size_t)encoder->info.slots, sizeof *slots);
  bool ok = slots || error_set_memory(error, (size_t)encoder->info.slots * sizeof *slots, "a measurement");
  ok = ok && measuring_pack(&shared, error) && slots_run(slots, &shared, error);
  if (ok) rate_sum(slots, encoder->info.slots, rate);
  flow_block_free(&shared.work);
  free(slots);
  return ok;
}
