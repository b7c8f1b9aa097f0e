/* Two batches, each alone in a slot, then both at the same time in two slots, and again with the slots
 * exchanged, with random weights in the whole model's shape: a batch's rows are equal to the last bit, all
 * finite, and have length 1. The batches differ, so what a slot takes from the other one shows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/half.h"
#include "tests/gpu_check/random_model.h"
#include "tests/gpu_check/text_batch.h"

#define RUNS 3 /* of each batch: alone, beside the other, beside the other in the other slot */
#define LENGTH_TOLERANCE 0.001 /* 1024 numbers, each rounded to fp16 */

struct runs {
  const struct cuda_forward *forward;
  struct cuda_slot *slot[2];
  struct text_batch batch[2];
  uint16_t *rows[2][RUNS][WIDTHS_MAX];
};

static size_t row_numbers(const struct runs *runs, int b, int32_t w) {
  return (size_t)runs->batch[b].sequences * (size_t)runs->forward->widths[w];
}

static bool rows_make(struct runs *runs, int b, struct error *error) {
  for (int r = 0; r < RUNS; r++)
    for (int32_t w = 0; w < runs->forward->width_count; w++) {
      const size_t bytes = row_numbers(runs, b, w) * sizeof(uint16_t);
      runs->rows[b][r][w] = malloc(bytes);
      if (!runs->rows[b][r][w]) return error_set_memory(error, bytes, "rows");
      memset(runs->rows[b][r][w], 0xff, bytes);
    }
  return true;
}

static bool runs_open(struct runs *runs, const struct cuda_forward *forward, const struct check_scale *scale,
                      struct error *error) {
  static const int32_t means[2] = {68, 31};
  runs->forward = forward;
  for (int b = 0; b < 2; b++)
    if (!text_batch_make(&runs->batch[b], &scale->shape, scale->batch_tokens, means[b], 17 + (uint64_t)b,
                         error) ||
        !rows_make(runs, b, error))
      return false;
  return (runs->slot[0] = cuda_slot_open(forward, 0, error)) &&
         (runs->slot[1] = cuda_slot_open(forward, 1, error));
}

static void runs_close(struct runs *runs) {
  for (int s = 0; s < 2; s++) cuda_slot_close(runs->slot[s]);
  for (int b = 0; b < 2; b++) {
    for (int r = 0; r < RUNS; r++)
      for (int32_t w = 0; w < WIDTHS_MAX; w++) free(runs->rows[b][r][w]);
    text_batch_free(&runs->batch[b]);
  }
}

/* Batch b in slot b alone. */
static bool alone_run(struct runs *runs, int b, struct error *error) {
  const struct batch batch = text_batch_packed(&runs->batch[b]);
  return cuda_slot_submit(runs->slot[b], &batch, error) &&
         cuda_slot_wait(runs->slot[b], runs->rows[b][0], error);
}

/* Batch b in slot b, or in the other one if `exchanged`. The first batch's slot is waited for last. */
static bool together_run(struct runs *runs, bool exchanged, struct error *error) {
  const struct batch first = text_batch_packed(&runs->batch[0]), second = text_batch_packed(&runs->batch[1]);
  struct cuda_slot *const one = runs->slot[exchanged], *const other = runs->slot[!exchanged];
  const int run = exchanged ? 2 : 1;
  return cuda_slot_submit(one, &first, error) && cuda_slot_submit(other, &second, error) &&
         cuda_slot_wait(other, runs->rows[1][run], error) && cuda_slot_wait(one, runs->rows[0][run], error);
}

static bool runs_run(struct runs *runs, struct error *error) {
  return alone_run(runs, 0, error) && alone_run(runs, 1, error) && together_run(runs, false, error) &&
         together_run(runs, true, error);
}

static void bits_add(const struct runs *runs, struct check *check) {
  size_t different = 0, all = 0;
  for (int b = 0; b < 2; b++)
    for (int32_t w = 0; w < runs->forward->width_count; w++) {
      all += row_numbers(runs, b, w);
      for (int r = 1; r < RUNS; r++)
        for (size_t i = 0; i < row_numbers(runs, b, w); i++)
          different += runs->rows[b][r][w][i] != runs->rows[b][0][w][i];
    }
  struct table_line *line =
      table_add(&check->table, different > 0, "two batches side by side, and each alone");
  line->value = (double)different;
  snprintf(line->measured, sizeof line->measured, "%zu differ", different);
  snprintf(line->beside, sizeof line->beside, "of %zu numbers, %d + %d texts, %d widths", all,
           runs->batch[0].sequences, runs->batch[1].sequences, runs->forward->width_count);
}

static double length_off(const uint16_t *row, int32_t width) {
  double sum = 0;
  for (int32_t i = 0; i < width; i++) {
    const double x = (double)half_to_float(row[i]);
    sum += x * x;
  }
  const double off = fabs(sqrt(sum) - 1);
  return isnan(off) ? (double)INFINITY : off;
}

static void lengths_add(const struct runs *runs, struct check *check) {
  double worst = 0;
  for (int32_t w = 0; w < runs->forward->width_count; w++)
    for (int b = 0; b < 2; b++)
      for (int32_t s = 0; s < runs->batch[b].sequences; s++) {
        const int32_t width = runs->forward->widths[w];
        worst = fmax(worst, length_off(runs->rows[b][0][w] + (int64_t)s * width, width));
      }
  struct table_line *line =
      table_add(&check->table, !(worst <= LENGTH_TOLERANCE), "rows are finite, of length 1");
  line->value = worst;
  snprintf(line->measured, sizeof line->measured, "%.2g off", worst);
  snprintf(line->beside, sizeof line->beside, "%.2g allowed", LENGTH_TOLERANCE);
}

/* If random weights gave all texts the same row, a kernel that mixes texts up would go unnoticed. */
static void rows_differ_add(const struct runs *runs, struct check *check) {
  const int32_t hidden = runs->forward->widths[0];
  int32_t equal = 0;
  for (int b = 0; b < 2; b++)
    for (int32_t s = 1; s < runs->batch[b].sequences; s++) {
      const uint16_t *row = runs->rows[b][0][0] + (int64_t)s * hidden;
      equal += memcmp(row - hidden, row, (size_t)hidden * sizeof *row) == 0;
    }
  struct table_line *line = table_add(&check->table, equal > 0, "rows of different texts differ");
  line->value = equal;
  snprintf(line->measured, sizeof line->measured, "%d equal", equal);
}

bool check_slots(struct check *check, struct error *error) {
  struct cuda_forward forward = random_model_forward(check, check->scale->batch_tokens);
  struct runs runs = {.forward = NULL};
  const bool done = random_model_make(check, &forward, error) &&
                    runs_open(&runs, &forward, check->scale, error) && runs_run(&runs, error);
  if (done) {
    bits_add(&runs, check);
    lengths_add(&runs, check);
    rows_differ_add(&runs, check);
  }
  runs_close(&runs);
  cuda_weights_close(&forward.weights);
  return done;
}
