/* Attention against its twin, on the tiles that its plan must have chosen, over a grid of several waves. The
 * twin computes some queries in every text and head, such that all rows of a tile come up, since a row of a
 * tile is the same lanes' work in every tile. The other queries are right too if the other tile size gives
 * the same bits everywhere; heads of 128 have only one tile size, so there the other queries are known only
 * to be written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/check.h"
#include "cuda/twins.h"
#include "host/model/half.h"
#include "tests/gpu_check/kernel_case.h"

#define TOLERANCE 0.004 /* see check_kernels.c */
#define ROWS_SHORT 64   /* queries per tile: cuda/kernels.h */
#define ROWS_LONG 128
#define LONG_HEAD_MAX 64 /* larger heads have only short tiles */
#define QUERIES_SPREAD \
  9                   /* queries per text that the twin computes: the first, the last, and some in between */
#define WAVE_BLOCKS 5 /* most blocks on a multiprocessor: cuda/attention.cu */

struct tiles {
  struct attention_plan plan;
  struct attention_tile *host, *device;
};

static void tiles_close(struct tiles *tiles) {
  free(tiles->host);
  cudaFree(tiles->device);
}

static struct attention_plan plan_of(const struct kernel_case *this, int32_t rows) {
  struct attention_plan plan = {rows, 0};
  for (int32_t s = 0; s < this->sequences; s++)
    plan.tiles += (this->offsets[s + 1] - this->offsets[s] + rows - 1) / rows;
  return plan;
}

/* Makes the card's tile list, and checks that it equals the twin's. */
static bool tiles_open(struct tiles *tiles, struct kernel_case *this, int32_t rows, struct error *error) {
  tiles->plan = plan_of(this, rows);
  const size_t bytes = (size_t)tiles->plan.tiles * sizeof *tiles->host;
  tiles->host = malloc(2 * bytes);
  if (!tiles->host) return error_set_memory(error, 2 * bytes, "tiles");
  twin_attention_tiles(&tiles->plan, this->offsets, this->sequences, tiles->host);
  if (!(tiles->device = device_make(this->check, NULL, bytes, error)) ||
      !device_poison(this->check, tiles->device, bytes, error) ||
      !cuda_check(kernel_attention_tiles(&tiles->plan, this->offsets_device, this->sequences, tiles->device,
                                         this->check->stream),
                  error, "the kernel that lists attention's tiles") ||
      !device_read(this->check, tiles->device, tiles->host + tiles->plan.tiles, bytes, error))
    return false;
  if (memcmp(tiles->host, tiles->host + tiles->plan.tiles, bytes) != 0)
    table_add(&this->check->table, true, "attention's tiles of %d, heads of %d", rows, this->head_size);
  return true;
}

static float scale_of(const struct kernel_case *this) {
  return 1 / sqrtf((float)this->head_size);
}

static size_t context_count(const struct kernel_case *this) {
  return (size_t)this->tokens * (size_t)this->hidden;
}

/* A number that the kernel leaves out is a failure of its own: both tile sizes may leave out the same one. */
static void left_out_add(struct kernel_case *this, int32_t rows) {
  size_t left_out = 0;
  for (size_t i = 0; i < context_count(this); i++) left_out += this->output[i] == CASE_POISON;
  if (left_out == 0) return;
  struct table_line *line =
      table_add(&this->check->table, true, "attention, tiles of %d, leaves out %zu numbers", rows, left_out);
  snprintf(line->beside, sizeof line->beside, "%s", this->name);
}

/* Runs the kernel and reads its whole output back. */
static bool attention_run(struct kernel_case *this, int32_t rows, struct error *error) {
  struct tiles tiles = {.host = NULL};
  const bool done =
      tiles_open(&tiles, this, rows, error) && case_begin(this, context_count(this), error) &&
      cuda_check(kernel_attention(&tiles.plan, tiles.device, this->input_device, this->heads, this->head_size,
                                  scale_of(this), this->output_device, this->check->stream),
                 error, "the attention kernel") &&
      case_read(this, context_count(this), error);
  tiles_close(&tiles);
  if (done) left_out_add(this, rows);
  return done;
}

/* part [tokens, head_size] fp32 = the case's q (0), k (1) or v (2) for one text and head. */
static void part_convert(const struct kernel_case *this, int32_t sequence, int32_t head, int which,
                         float *part) {
  const int32_t first = this->offsets[sequence], tokens = this->offsets[sequence + 1] - first;
  const uint16_t *from =
      this->input + ((int64_t)first * 3 + which) * this->hidden + (int64_t)head * this->head_size;
  for (int64_t t = 0; t < tokens; t++)
    for (int32_t i = 0; i < this->head_size; i++)
      part[t * this->head_size + i] = half_to_float(from[t * 3 * this->hidden + i]);
}

/* The i-th of the queries that the twin computes: the first, the last, and some in between. These lie about
 * evenly, each moved to that row of a tile whose turn it is, if the text has such a row. */
static int32_t query_choose(const struct kernel_case *this, int32_t rows, int32_t sequence, int32_t head,
                            int32_t i) {
  const int32_t last = this->offsets[sequence + 1] - this->offsets[sequence] - 1,
                between = QUERIES_SPREAD - 2;
  const int32_t even = (int32_t)((int64_t)last * i / (QUERIES_SPREAD - 1));
  if (i == 0 || i > between) return even;
  const int32_t row = ((sequence * this->heads + head) * between + i - 1) % rows;
  const int32_t query = even / rows * rows + row;
  return query <= last ? query : query >= rows ? query - rows : even;
}

/* The largest difference over the chosen queries in one text and head; part and weight are scratch. */
static double head_differ(const struct kernel_case *this, int32_t rows, int32_t sequence, int32_t head,
                          float *part, double *weight) {
  const int32_t first = this->offsets[sequence], tokens = this->offsets[sequence + 1] - first;
  const int64_t size = (int64_t)tokens * this->head_size;
  uint16_t expected[KERNEL_HIDDEN_MAX];
  double out[KERNEL_HIDDEN_MAX], worst = 0;
  for (int which = 0; which < 3; which++) part_convert(this, sequence, head, which, part + which * size);
  for (int32_t i = 0; i < QUERIES_SPREAD; i++) {
    const int32_t query = query_choose(this, rows, sequence, head, i);
    twin_attention_query(part + (int64_t)query * this->head_size, part + size, part + 2 * size, tokens,
                         this->head_size, scale_of(this), weight, out, NULL);
    for (int32_t c = 0; c < this->head_size; c++) expected[c] = half_from_float((float)out[c]);
    const uint16_t *row = this->output + ((int64_t)first + query) * this->hidden + head * this->head_size;
    worst = fmax(worst, halves_differ(row, expected, (size_t)this->head_size));
  }
  return worst;
}

static bool twin_differ(const struct kernel_case *this, int32_t rows, double *worst, struct error *error) {
  const size_t longest = (size_t)this->tokens; /* no text is longer than all texts together */
  float *part = malloc(longest * 3 * (size_t)this->head_size * sizeof *part);
  double *weight = malloc(longest * sizeof *weight);
  const bool done = part && weight;
  *worst = 0;
  for (int32_t s = 0; done && s < this->sequences; s++)
    for (int32_t head = 0; head < this->heads; head++)
      *worst = fmax(*worst, head_differ(this, rows, s, head, part, weight));
  free(part);
  free(weight);
  return done || error_set_memory(error, longest * sizeof *weight, "attention's twin");
}

/* Each case must reach the kernel that it is meant for: without this line, a batch with one long text would
 * check only the long tiles. */
static void plan_add(struct kernel_case *this, int32_t rows, int32_t wanted) {
  const struct cuda_card *card = &this->check->card;
  const int64_t blocks = (int64_t)plan_of(this, rows).tiles * this->heads;
  const double waves = (double)blocks / (WAVE_BLOCKS * card->multiprocessors);
  struct table_line *line = table_add(&this->check->table, rows != wanted, "attention<%d, %d>, the plan",
                                      this->head_size, rows / ROWS_SHORT);
  line->value = rows;
  snprintf(line->measured, sizeof line->measured, "%d queries a tile", rows);
  snprintf(line->beside, sizeof line->beside, "%lld blocks, %.1f waves; %s", (long long)blocks, waves,
           this->name);
}

/* Runs the other tile size over the same batch: not one bit may differ. */
static bool other_tiles_check(struct kernel_case *this, int32_t rows, struct error *error) {
  const int32_t other = rows == ROWS_SHORT ? ROWS_LONG : ROWS_SHORT;
  const size_t bytes = context_count(this) * sizeof(uint16_t);
  memcpy(this->expected, this->output, bytes);
  if (!attention_run(this, other, error)) return false;
  int64_t different = 0;
  for (size_t i = 0; i < context_count(this); i++) different += this->output[i] != this->expected[i];
  struct table_line *line =
      table_add(&this->check->table, different > 0, "attention, tiles of %d beside %d, heads of %d", other,
                rows, this->head_size);
  line->value = (double)different;
  snprintf(line->measured, sizeof line->measured, "%lld differ", (long long)different);
  snprintf(line->beside, sizeof line->beside, "of %zu numbers; %s", context_count(this), this->name);
  return true;
}

bool attention_check(struct kernel_case *this, struct error *error) {
  const struct attention_plan plan = attention_plan_make(this->offsets, this->sequences, this->head_size);
  const bool long_tiles = !this->short_texts && this->head_size <= LONG_HEAD_MAX;
  double worst = 0;
  plan_add(this, plan.rows, long_tiles ? ROWS_LONG : ROWS_SHORT);
  if (!attention_run(this, plan.rows, error) || !twin_differ(this, plan.rows, &worst, error)) return false;
  case_add(this, "attention", worst, TOLERANCE);
  return this->head_size > LONG_HEAD_MAX || other_tiles_check(this, plan.rows, error);
}
