/* Tokens a second, from ids in memory to rows in memory. Each slot has a thread, as in the pipeline. Each
 * thread counts whole batches over the time that they took, and the rates are added. */
#include <pthread.h>
#include <stdlib.h>

#include "tests/gpu_check/random_model.h"
#include "tests/gpu_check/text_batch.h"

#define SLOTS 2
#define BATCHES 4      /* different batches, in turn */
#define WARM_SHARE 0.2 /* warm-up before a measurement, as a share of its time */

/* All per second. */
struct rates {
  double tokens, texts, counted, done; /* counted, done: operations, as in struct text_batch */
};

struct runner {
  struct cuda_slot *slot;
  const struct text_batch *batches;
  uint16_t *rows[WIDTHS_MAX];
  int first;
  double seconds; /* how long to run */
  struct rates rates;
  struct error error;
  bool done;
};

static void rates_add(struct rates *sum, const struct rates *rates, double factor) {
  sum->tokens += factor * rates->tokens;
  sum->texts += factor * rates->texts;
  sum->counted += factor * rates->counted;
  sum->done += factor * rates->done;
}

static void *runner_run(void *argument) {
  struct runner *runner = argument;
  const double start = seconds_now();
  double seconds = 0;
  struct rates sum = {0};
  runner->done = true;
  for (int i = runner->first; runner->done && seconds < runner->seconds; i++) {
    const struct text_batch *batch = &runner->batches[i % BATCHES];
    const struct batch packed = text_batch_packed(batch);
    const struct rates own = {batch->tokens, batch->sequences, batch->counted, batch->done};
    runner->done = cuda_slot_submit(runner->slot, &packed, &runner->error) &&
                   cuda_slot_wait(runner->slot, runner->rows, &runner->error);
    rates_add(&sum, &own, 1);
    seconds = seconds_now() - start;
  }
  runner->rates = (struct rates){0};
  rates_add(&runner->rates, &sum, 1 / seconds);
  return NULL;
}

/* Runs the slots for `seconds`. */
static bool runners_run(struct runner *runners, int slots, double seconds, struct rates *rates,
                        struct error *error) {
  pthread_t thread[SLOTS];
  int started = 0;
  *rates = (struct rates){0};
  for (; started < slots; started++) {
    runners[started].seconds = seconds;
    if (pthread_create(&thread[started], NULL, runner_run, &runners[started]) != 0) break;
  }
  bool done = started == slots || error_set(error, ERROR_MEMORY, "cannot start a thread");
  for (int s = 0; s < started; s++) {
    pthread_join(thread[s], NULL);
    if (!runners[s].done && done) *error = runners[s].error;
    done = done && runners[s].done;
    rates_add(rates, &runners[s].rates, 1);
  }
  return done;
}

/* Adds a line with two shares of the ceiling: the model's operations, and the operations that were done. */
static void throughput_add(struct check *check, int32_t mean, const struct cuda_forward *forward, int slots,
                           const struct rates *rates) {
  static const char *const sharing[] = {[CUDA_SHARING_OWN] = "",
                                        [CUDA_SHARING_PRIORITIES] = ", priorities",
                                        [CUDA_SHARING_ONE] = ", one stream"};
  struct table_line *line =
      table_add(&check->table, false, "texts of %d tokens, batches of %d, %d slot%s%s", mean,
                forward->batch_tokens, slots, slots > 1 ? "s" : "", sharing[forward->streams.sharing]);
  line->value = rates->tokens;
  snprintf(line->measured, sizeof line->measured, "%.0f tokens/s", rates->tokens);
  snprintf(line->beside, sizeof line->beside, "%.0f texts/s, %.1f TFLOP/s", rates->texts,
           rates->counted / 1e12);
  snprintf(line->verdict, sizeof line->verdict, "%.1f %% (%.1f %% done)", 100 * rates->counted / check->flops,
           100 * rates->done / check->flops);
}

static bool length_measure(struct check *check, struct runner *runners, int slots,
                           const struct cuda_forward *forward, int32_t mean, struct error *error) {
  const double seconds = 1.5 * check->scale->sustained;
  struct text_batch *batches = calloc(BATCHES, sizeof *batches);
  struct rates rates;
  bool done = true;
  if (!batches) return error_set_memory(error, BATCHES * sizeof *batches, "batches");
  for (int i = 0; i < BATCHES && done; i++)
    done = text_batch_make(&batches[i], &check->scale->shape, forward->batch_tokens, mean,
                           (uint64_t)(mean * BATCHES + i), error);
  for (int s = 0; s < SLOTS; s++) runners[s].batches = batches;
  done = done && runners_run(runners, slots, WARM_SHARE * seconds, &rates, error) &&
         runners_run(runners, slots, seconds, &rates, error);
  if (done) throughput_add(check, mean, forward, slots, &rates);
  table_print(&check->table);
  for (int s = 0; s < SLOTS; s++) runners[s].batches = NULL;
  for (int i = 0; i < BATCHES; i++) text_batch_free(&batches[i]);
  free(batches);
  return done;
}

static bool runner_open(struct runner *runner, const struct cuda_forward *forward, int first,
                        struct error *error) {
  runner->first = first;
  for (int32_t w = 0; w < forward->width_count; w++) {
    const size_t bytes = (size_t)forward->batch_tokens * (size_t)forward->widths[w] * sizeof(uint16_t);
    runner->rows[w] = malloc(bytes);
    if (!runner->rows[w]) return error_set_memory(error, bytes, "rows");
  }
  runner->slot = cuda_slot_open(forward, first, error);
  return runner->slot;
}

/* Measures all lengths with one batch size, first with all slots, then with fewer, down to `slots_least`. */
static bool batches_measure(struct check *check, const struct cuda_forward *forward, int slots_least,
                            struct error *error) {
  struct runner runners[SLOTS] = {{0}};
  bool done = true;
  for (int s = 0; s < SLOTS && done; s++) done = runner_open(&runners[s], forward, s, error);
  for (int slots = SLOTS; slots >= slots_least; slots--)
    for (const int32_t *length = check->scale->lengths; *length && done; length++)
      if (*length <= forward->batch_tokens)
        done = length_measure(check, runners, slots, forward, *length, error);
  for (int s = 0; s < SLOTS; s++) {
    cuda_slot_close(runners[s].slot);
    for (int32_t w = 0; w < forward->width_count; w++) free(runners[s].rows[w]);
  }
  return done;
}

bool check_throughput(struct check *check, struct error *error) {
  struct cuda_forward forward = random_model_forward(check, check->scale->batch_tokens);
  bool done = ceiling_need(check, error) && random_model_make(check, &forward, error) &&
              cuda_streams_open(&forward.streams, error);
  for (const int32_t *batch = check->scale->batches; *batch && done; batch++) {
    forward.batch_tokens = *batch;
    done = batches_measure(check, &forward,
                           batch == check->scale->batches ? check->scale->slots_least : SLOTS, error);
  }
  cuda_streams_close(&forward.streams);
  cuda_weights_close(&forward.weights);
  return done;
}
