#include "host/flow/block_encode.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host/flow/pack.h"
#include "host/flow/slot_rows.h"

/* Shared by the slots' threads. */
struct block_encoding {
  const struct flow_block *work;
  const struct flow_options *options;
  struct encoder *encoder;
  const char *path;
  const atomic_int *stop;
  atomic_int next;      /* batch */
  atomic_int slots;     /* slots that have begun */
  atomic_bool failed;   /* set under the lock, with `error` */
  pthread_mutex_t lock; /* protects `error` */
  struct error error;   /* first error */
};

static void encoding_fail(struct block_encoding *encoding, const struct error *error) {
  pthread_mutex_lock(&encoding->lock);
  if (!atomic_load(&encoding->failed)) encoding->error = *error;
  atomic_store(&encoding->failed, true);
  pthread_mutex_unlock(&encoding->lock);
}

static bool batch_run(struct block_encoding *encoding, int32_t slot, const struct flow_batch *part,
                      struct slot_rows *rows, struct error *error) {
  struct encoder *encoder = encoding->encoder;
  const struct batch batch = slot_batch(encoding->options, part);
  if (!slot_rows_reserve(rows, encoding->options, part->sequences, error)) return false;
  if (!encoder_submit(encoder, slot, &batch, error)) return slot_blame_row(part, encoding->path, -1, error);
  if (!encoder_wait(encoder, slot, rows->rows, error))
    return slot_blame_row(part, encoding->path, encoder_blamed(encoder, slot), error);
  slot_rows_scatter(rows, encoding->options, part);
  return true;
}

static void *slot_thread(void *argument) {
  struct block_encoding *encoding = argument;
  const int32_t slot = atomic_fetch_add(&encoding->slots, 1);
  struct slot_rows rows = {0};
  struct error error = {0};
  while (!atomic_load(&encoding->failed) && !atomic_load(encoding->stop)) {
    const int32_t number = atomic_fetch_add(&encoding->next, 1);
    if (number >= encoding->work->batch_count) break;
    if (!batch_run(encoding, slot, &encoding->work->batch[number], &rows, &error))
      encoding_fail(encoding, &error);
  }
  slot_rows_free(&rows);
  return NULL;
}

/* Runs a thread for each slot, but no more than there are batches. */
static void threads_run(struct block_encoding *encoding, pthread_t *thread, int32_t count) {
  static const struct error none = {ERROR_MEMORY,
                                    "cannot start a thread for the encoder: pass fewer --threads"};
  int32_t started = 0;
  for (; started < count; started++)
    if (pthread_create(&thread[started], NULL, slot_thread, encoding) != 0) break;
  if (started < count) encoding_fail(encoding, &none);
  for (int32_t s = 0; s < started; s++) pthread_join(thread[s], NULL);
}

bool block_encode(struct flow_block *work, const struct flow_options *options, struct encoder *encoder,
                  const char *path, const atomic_int *stop, struct error *error) {
  if (!pack_batches(work, encoder->info.batch_tokens) ||
      !flow_block_reserve_vectors(work, options->widths, options->width_count))
    return error_set_memory(error, (size_t)work->rows * 2 * (size_t)options->widths[0], "a block's vectors");
  struct block_encoding encoding = {
      .work = work, .options = options, .encoder = encoder, .path = path, .stop = stop};
  const int32_t slots = encoder->info.slots, count = slots < work->batch_count ? slots : work->batch_count;
  pthread_t *thread = calloc((size_t)count + 1, sizeof *thread);
  if (!thread) return error_set_memory(error, (size_t)count * sizeof *thread, "the encoder's threads");
  pthread_mutex_init(&encoding.lock, NULL);
  threads_run(&encoding, thread, count);
  pthread_mutex_destroy(&encoding.lock);
  free(thread);
  *error = encoding.error;
  return !atomic_load(&encoding.failed) && !atomic_load(stop);
}
