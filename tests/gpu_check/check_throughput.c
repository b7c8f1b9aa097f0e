/* Tokens a second, from ids in memory to rows in memory: two threads, each with a slot, as the pipeline
 * drives the encoder. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu_check/random_model.h"

#define SLOTS 2
#define BATCHES 4 /* different ones, in turn */

double model_operations(const struct model_shape *shape, double length) {
  const double hidden = shape->hidden, ffn = shape->ffn;
  return shape->layers * (2 * (4 * hidden * hidden + 2 * hidden * ffn) + 4 * length * hidden);
}

/* A batch of texts of about `mean` tokens: evenly from half of it to one and a half, or all of it where the
 * model takes no more. */
struct text_batch {
  int32_t *ids, *offsets, sequences, tokens;
  double operations;
};

static bool batch_make(struct text_batch *batch, const struct check_scale *scale, int32_t mean, uint64_t seed,
                       struct error *error) {
  const struct model_shape *shape = &scale->shape;
  const size_t most = (size_t)scale->batch_tokens;
  *batch = (struct text_batch){.ids = malloc(most * sizeof(int32_t)),
                               .offsets = malloc((most + 1) * sizeof(int32_t))};
  if (!batch->ids || !batch->offsets) return error_set_memory(error, most * sizeof(int32_t), "a batch");
  batch->offsets[0] = 0;
  for (;;) {
    int32_t length = mean / 2 + (int32_t)(random_next(&seed) % (uint64_t)(mean + 1));
    if (mean + mean / 2 > shape->max_tokens) length = mean;
    if (length < 1) length = 1;
    if (batch->tokens + length > scale->batch_tokens) break;
    batch->tokens += length;
    batch->operations += length * model_operations(shape, length);
    batch->offsets[++batch->sequences] = batch->tokens;
  }
  for (int32_t t = 0; t < batch->tokens; t++)
    batch->ids[t] = (int32_t)(random_next(&seed) % (uint64_t)shape->vocabulary);
  return true;
}

struct runner {
  struct cuda_slot *slot;
  const struct text_batch *batches;
  uint16_t *rows[WIDTHS_MAX];
  int first;
  double until, tokens, texts, operations;
  struct error error;
  bool done;
};

static void *runner_run(void *argument) {
  struct runner *runner = argument;
  runner->done = true;
  for (int i = runner->first; runner->done; i++) {
    const struct text_batch *batch = &runner->batches[i % BATCHES];
    const struct batch packed = {batch->ids, batch->offsets, batch->sequences, 0};
    runner->done = cuda_slot_submit(runner->slot, &packed, &runner->error) &&
                   cuda_slot_wait(runner->slot, runner->rows, &runner->error);
    if (seconds_now() >= runner->until) break; /* what ends after that does not count */
    runner->tokens += batch->tokens;
    runner->texts += batch->sequences;
    runner->operations += batch->operations;
  }
  return NULL;
}

/* Runs both slots for some seconds; the sums over both go to *total. */
static bool runners_run(struct runner *runners, double seconds, struct runner *total, struct error *error) {
  pthread_t thread[SLOTS];
  int started = 0;
  *total = (struct runner){.done = true};
  for (; started < SLOTS; started++) {
    struct runner *runner = &runners[started];
    runner->tokens = runner->texts = runner->operations = 0;
    runner->until = seconds_now() + seconds;
    if (pthread_create(&thread[started], NULL, runner_run, runner) != 0) break;
  }
  if (started < SLOTS) total->done = error_set(error, ERROR_MEMORY, "cannot start a thread");
  for (int s = 0; s < started; s++) {
    pthread_join(thread[s], NULL);
    if (!runners[s].done && total->done) *error = runners[s].error;
    total->done = total->done && runners[s].done;
    total->tokens += runners[s].tokens;
    total->texts += runners[s].texts;
    total->operations += runners[s].operations;
  }
  return total->done;
}

static void throughput_add(struct check *check, int32_t mean, const struct runner *total) {
  const double seconds = check->scale->seconds;
  struct table_line *line = table_add(&check->table, false);
  snprintf(line->what, sizeof line->what, "texts of %d tokens", mean);
  snprintf(line->measured, sizeof line->measured, "%.0f tokens/s", total->tokens / seconds);
  snprintf(line->beside, sizeof line->beside, "%.0f texts/s, %.1f TFLOP/s", total->texts / seconds,
           total->operations / seconds / 1e12);
  snprintf(line->verdict, sizeof line->verdict, "%.1f %% of ceiling",
           100 * total->operations / seconds / check->flops);
}

static bool length_measure(struct check *check, struct runner *runners, int32_t mean, struct error *error) {
  struct text_batch batches[BATCHES] = {{0}};
  struct runner total;
  bool done = true;
  for (int i = 0; i < BATCHES && done; i++)
    done = batch_make(&batches[i], check->scale, mean, (uint64_t)(mean * BATCHES + i), error);
  for (int s = 0; s < SLOTS; s++) runners[s].batches = batches;
  done = done && runners_run(runners, check->scale->seconds / 4, &total, error) && /* to warm up */
         runners_run(runners, check->scale->seconds, &total, error);
  if (done) throughput_add(check, mean, &total);
  for (int s = 0; s < SLOTS; s++) runners[s].batches = NULL;
  for (int i = 0; i < BATCHES; i++) {
    free(batches[i].ids);
    free(batches[i].offsets);
  }
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
  runner->slot = cuda_slot_open(forward, error);
  return runner->slot;
}

bool check_throughput(struct check *check, struct error *error) {
  const struct check_scale *scale = check->scale;
  struct cuda_forward forward = {
      .shape = scale->shape, .device = check->card.device, .batch_tokens = scale->batch_tokens};
  struct runner runners[SLOTS] = {{0}};
  for (int32_t width = scale->shape.hidden; width >= scale->shape.hidden / 16; width /= 2)
    forward.widths[forward.width_count++] = width;
  bool done = random_model_make(check, &forward, error);
  for (int s = 0; s < SLOTS && done; s++) done = runner_open(&runners[s], &forward, s, error);
  for (const int32_t *length = scale->lengths; *length && done; length++)
    done = length_measure(check, runners, *length, error);
  for (int s = 0; s < SLOTS; s++) {
    cuda_slot_close(runners[s].slot);
    for (int32_t w = 0; w < forward.width_count; w++) free(runners[s].rows[w]);
  }
  cuda_weights_close(&forward.weights);
  return done;
}
