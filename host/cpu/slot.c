#include "host/cpu/slot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/aligned.h"
#include "host/cpu/int8_layer.h"
#include "host/cpu/pool.h"

/* Sequences go through the layers in groups of at most this many tokens, so that a large batch does not push
 * a group's state out of the caches. A longer sequence forms its own group. */
#define GROUP_TOKENS 1024

struct slot {
  const struct forward *forward;
  struct gemm_thread *thread;
  int32_t capacity; /* tokens */
  float *state;     /* [capacity, hidden]: the residual stream, fp32 in every precision */
  uint16_t *copy;   /* [capacity, hidden]: the same in bf16, for products that read bf16; else NULL */
  void *projected;  /* [capacity, 3, heads, head_size] in the type of activations, like the next two */
  void *context;    /* [capacity, hidden] */
  void *inner;      /* [FORWARD_ROWS, ffn]; NULL in int8, like the next one */
  float *addend;    /* [FORWARD_ROWS, hidden] */
  struct int8_rows int8;
  void *scratch;       /* attention's */
  int32_t pooled_rows; /* 1, or DENSE_ROWS if there are Dense modules */
  float *pooled;       /* [pooled_rows, the most columns that a pooled row or a Dense module's row has] */
  float *dense;        /* the same; NULL without Dense modules */
  struct step_clock clock;
};

static void *slot_allocate(size_t rows, size_t columns, size_t size, struct error *error) {
  return aligned_allocate(rows * columns * size, "activations (a smaller --max-tokens needs less)", error);
}

/* Rows after pooling: the Dense modules read one buffer and write the other, in turn. */
static bool rows_allocate(struct slot *slot, struct error *error) {
  const struct forward *forward = slot->forward;
  const struct weights *weights = &forward->weights;
  int32_t most = forward->shape.hidden * forward->shape.pooling.count;
  for (int32_t d = 0; d < weights->dense_count; d++)
    if (weights->dense[d].config.outputs > most) most = weights->dense[d].config.outputs;
  slot->pooled_rows = weights->dense_count > 0 ? DENSE_ROWS : 1;
  slot->pooled = slot_allocate((size_t)slot->pooled_rows, (size_t)most, sizeof(float), error);
  if (!slot->pooled || weights->dense_count == 0) return slot->pooled != NULL;
  slot->dense = slot_allocate((size_t)slot->pooled_rows, (size_t)most, sizeof(float), error);
  return slot->dense != NULL;
}

struct slot *slot_open(const struct forward *forward, struct error *error) {
  const struct model_shape *shape = &forward->shape;
  const struct attention_shape attention = {shape->heads, shape->head_size, 0};
  const bool bf16 = forward->activations == PRECISION_BF16, int8 = forward->precision == PRECISION_INT8;
  const size_t size = bf16 ? sizeof(uint16_t) : sizeof(float);
  const size_t hidden = (size_t)shape->hidden;
  struct slot *slot = calloc(1, sizeof *slot);
  if (!slot) {
    error_set_memory(error, sizeof *slot, "a slot");
    return NULL;
  }
  slot->forward = forward;
  slot->clock.runs = forward->timed;
  slot->capacity = forward->max_tokens > GROUP_TOKENS ? forward->max_tokens : GROUP_TOKENS;
  const size_t tokens = (size_t)slot->capacity;
  if (!(slot->thread = gemm_thread_open(forward->weights.engine, error)) ||
      !(slot->state = slot_allocate(tokens, hidden, sizeof(float), error)) ||
      (bf16 && !int8 && !(slot->copy = slot_allocate(tokens, hidden, size, error))) ||
      !(slot->projected = slot_allocate(tokens, 3 * hidden, size, error)) ||
      !(slot->context = slot_allocate(tokens, hidden, size, error)) ||
      (!int8 && !(slot->inner = slot_allocate(FORWARD_ROWS, (size_t)shape->ffn, size, error))) ||
      (!int8 && !(slot->addend = slot_allocate(FORWARD_ROWS, hidden, sizeof(float), error))) ||
      !int8_rows_open(&slot->int8, forward, slot->capacity, error) ||
      !(slot->scratch = slot_allocate(1, attention_scratch(&attention, slot->capacity), 1, error)) ||
      !rows_allocate(slot, error)) {
    slot_close(slot);
    return NULL;
  }
  return slot;
}

void slot_close(struct slot *slot) {
  if (!slot) return;
  gemm_thread_close(slot->thread);
  free(slot->state);
  free(slot->copy);
  free(slot->projected);
  free(slot->context);
  free(slot->inner);
  free(slot->addend);
  int8_rows_close(&slot->int8);
  free(slot->scratch);
  free(slot->pooled);
  free(slot->dense);
  free(slot);
}

/* Activation row `row`. */
static void *row_at(const struct slot *slot, void *rows, int64_t row, int64_t columns) {
  const int64_t size = slot->forward->activations == PRECISION_BF16 ? sizeof(uint16_t) : sizeof(float);
  return (char *)rows + row * columns * size;
}

static uint16_t *copy_at(const struct slot *slot, int64_t row) {
  return slot->copy ? slot->copy + row * slot->forward->shape.hidden : NULL;
}

/* The state in the products' input type. */
static const void *input_at(const struct slot *slot, int64_t row) {
  return slot->copy ? (const void *)copy_at(slot, row) : slot->state + row * slot->forward->shape.hidden;
}

/* How many pieces `tokens` rows are cut into: nearly equal, none above FORWARD_ROWS, so no row is padding. */
static int64_t pieces_of(int64_t tokens) {
  return (tokens + FORWARD_ROWS - 1) / FORWARD_ROWS;
}

static struct int8_piece int8_piece_of(struct slot *slot, int32_t layer, int64_t first, int32_t rows) {
  return (struct int8_piece){slot->forward, layer, first, rows, &slot->int8, slot->thread, &slot->clock};
}

/* Computes a group's queries, keys and values. */
static bool project(struct slot *slot, int32_t l, int64_t tokens, struct error *error) {
  const struct forward *forward = slot->forward;
  const struct layer_weights *layer = &forward->weights.layer[l];
  const int64_t hidden = forward->shape.hidden, pieces = pieces_of(tokens);
  for (int64_t i = 0; i < pieces; i++) {
    const int64_t first = tokens * i / pieces, rows = tokens * (i + 1) / pieces - first;
    void *projected = row_at(slot, slot->projected, first, 3 * hidden);
    const struct int8_piece piece = int8_piece_of(slot, l, first, (int32_t)rows);
    if (layer->int8 ? !int8_piece_project(&piece, projected, error)
                    : !gemm_run(forward->weights.projection, layer->projection, slot->thread, (int32_t)rows,
                                input_at(slot, first), projected, error))
      return false;
  }
  step_clock_lap(&slot->clock, STEP_PROJECTION);
  return true;
}

/* Attention in every sequence. If `first_only`, only each sequence's first token is a query, and context has
 * one row per sequence. */
static void attend(struct slot *slot, const int32_t *offsets, int32_t sequences, bool first_only) {
  const struct forward *forward = slot->forward;
  const struct model_shape *shape = &forward->shape;
  const struct attention_shape attention = {shape->heads, shape->head_size,
                                            1 / sqrtf((float)shape->head_size)};
  for (int32_t s = 0; s < sequences; s++) {
    const int64_t first = offsets[s] - offsets[0];
    const int32_t tokens = offsets[s + 1] - offsets[s];
    const void *projected = row_at(slot, slot->projected, first, 3 * shape->hidden);
    const int32_t queries = first_only ? 1 : tokens;
    void *context = row_at(slot, slot->context, first_only ? s : first, shape->hidden);
    if (forward->activations == PRECISION_BF16)
      forward->kernels->attention_bf16(&attention, projected, tokens, queries, context, slot->scratch);
    else
      forward->kernels->attention_f32(&attention, projected, tokens, queries, context, slot->scratch);
  }
  step_clock_lap(&slot->clock, STEP_ATTENTION);
}

/* Runs the layer's steps after attention, for one piece. Rows do not depend on each other, so the wide inner
 * activations stay in the cache. */
static bool transform(struct slot *slot, int32_t l, int64_t first, int32_t rows, struct error *error) {
  const struct forward *forward = slot->forward;
  const struct layer_weights *layer = &forward->weights.layer[l];
  const struct weights *weights = &forward->weights;
  const struct kernels *kernels = forward->kernels;
  const int64_t hidden = forward->shape.hidden;
  const size_t inner = (size_t)rows * (size_t)forward->shape.ffn;
  float *state = slot->state + first * hidden;
  if (layer->int8) {
    const struct int8_piece piece = int8_piece_of(slot, l, first, rows);
    return int8_piece_transform(&piece, row_at(slot, slot->context, first, hidden), state, error);
  }
  if (!gemm_run(weights->attention_output, layer->attention_output, slot->thread, rows,
                row_at(slot, slot->context, first, hidden), slot->addend, error))
    return false;
  step_clock_lap(&slot->clock, STEP_ATTENTION_OUTPUT);
  kernels->add_norm(&layer->attention_norm, slot->addend, rows, state, copy_at(slot, first));
  step_clock_lap(&slot->clock, STEP_ADD_NORM);
  if (!gemm_run(weights->intermediate, layer->intermediate, slot->thread, rows, input_at(slot, first),
                slot->inner, error))
    return false;
  step_clock_lap(&slot->clock, STEP_INTERMEDIATE);
  if (forward->precision == PRECISION_BF16)
    kernels->gelu_bf16(slot->inner, inner);
  else
    kernels->gelu_f32(slot->inner, inner);
  step_clock_lap(&slot->clock, STEP_GELU);
  if (!gemm_run(weights->output, layer->output, slot->thread, rows, slot->inner, slot->addend, error))
    return false;
  step_clock_lap(&slot->clock, STEP_OUTPUT);
  kernels->add_norm(&layer->output_norm, slot->addend, rows, state, copy_at(slot, first));
  step_clock_lap(&slot->clock, STEP_ADD_NORM);
  return true;
}

/* Moves each sequence's first row in the state to rows 0 … count - 1. */
static void firsts_gather(struct slot *slot, const int32_t *offsets, int32_t count) {
  const int64_t hidden = slot->forward->shape.hidden;
  for (int64_t s = 1; s < count; s++)
    memmove(slot->state + s * hidden, slot->state + (offsets[s] - offsets[0]) * hidden,
            (size_t)hidden * sizeof(float));
}

/* Runs one layer over a group. If `first_only` (the last layer, pooled by first tokens), only the first
 * tokens go on past attention: the state's rows 0 … sequences - 1. */
static bool layer_run(struct slot *slot, int32_t l, const int32_t *offsets, int32_t sequences,
                      bool first_only, struct error *error) {
  const int64_t tokens = offsets[sequences] - offsets[0], left = first_only ? sequences : tokens;
  const int64_t pieces = pieces_of(left);
  if (!project(slot, l, tokens, error)) return false;
  attend(slot, offsets, sequences, first_only);
  if (first_only) firsts_gather(slot, offsets, sequences);
  for (int64_t i = 0; i < pieces; i++) {
    const int64_t row = left * i / pieces, rows = left * (i + 1) / pieces - row;
    if (!transform(slot, l, row, (int32_t)rows, error)) return false;
  }
  return true;
}

/* Checks the rows after each layer and each Dense module, for a group with one sequence. */
struct layer_watch {
  enum row_verdict verdict; /* verdict on the sequence's row */
  int32_t columns;          /* columns of the sequence's row that the verdict is about */
  bool whole;               /* check all columns: a Dense module follows, and mixes them */
  int32_t first;            /* first layer whose rows have the fault, or ROW_LAYER_… */
};

static void rows_watch(const float *numbers, int64_t rows, int32_t width, struct layer_watch *watch,
                       int32_t layer) {
  const int32_t columns = watch->columns < width && !watch->whole ? watch->columns : width;
  bool finite = true, zero = true;
  if (watch->first != ROW_LAYER_NONE) return;
  for (int64_t r = 0; r < rows; r++)
    for (int32_t i = 0; i < columns; i++) {
      finite = finite && isfinite(numbers[r * width + i]);
      zero = zero && numbers[r * width + i] == 0;
    }
  if (watch->verdict == ROW_ZERO ? zero : !finite) watch->first = layer;
}

static void state_watch(const struct slot *slot, struct layer_watch *watch, int32_t layer, int64_t rows) {
  rows_watch(slot->state, rows, slot->forward->shape.hidden, watch, layer);
}

/* Runs the batch's sequences first … first + count - 1 through all layers. watch: NULL except for
 * slot_blame. */
static bool group_run(struct slot *slot, const struct batch *batch, int32_t first, int32_t count,
                      struct layer_watch *watch, struct error *error) {
  const struct forward *forward = slot->forward;
  const int32_t *offsets = batch->offsets + first, layers = forward->shape.layers;
  const bool first_only = pooling_first_only(&forward->shape.pooling);
  for (int32_t s = 0; s < count; s++) {
    const int64_t row = offsets[s] - offsets[0];
    const int32_t tokens = offsets[s + 1] - offsets[s];
    float *state = slot->state + row * forward->shape.hidden;
    forward->kernels->embed(&forward->weights.embedding, &forward->weights.embedding_norm,
                            batch->ids + offsets[s], forward->shape.first_position, tokens, state,
                            copy_at(slot, row));
    if (forward->precision == PRECISION_INT8) {
      const struct int8_piece piece = int8_piece_of(slot, 0, row, tokens);
      int8_piece_begin(&piece, state);
    }
  }
  step_clock_lap(&slot->clock, STEP_EMBED);
  if (watch) state_watch(slot, watch, ROW_LAYER_EMBEDDING, offsets[count] - offsets[0]);
  for (int32_t l = 0; l < layers; l++) {
    const bool firsts = first_only && l == layers - 1;
    if (!layer_run(slot, l, offsets, count, firsts, error)) return false;
    if (watch) state_watch(slot, watch, l, firsts ? count : offsets[count] - offsets[0]);
  }
  return true;
}

/* Pools a group's sequences first … first + count - 1 into slot->pooled; `offsets` are the group's. If only
 * first tokens are used, the state holds one row per sequence. */
static void sequences_pool(struct slot *slot, const int32_t *offsets, int32_t first, int32_t count,
                           int32_t prompt_tokens) {
  const struct model_shape *shape = &slot->forward->shape;
  const bool first_only = pooling_first_only(&shape->pooling);
  const int64_t hidden = shape->hidden, columns = hidden * shape->pooling.count;
  for (int32_t s = first; s < first + count; s++) {
    const int64_t row = first_only ? s : offsets[s] - offsets[0];
    pool_sequence(&shape->pooling, slot->state + row * hidden, shape->hidden,
                  first_only ? 1 : offsets[s + 1] - offsets[s], prompt_tokens,
                  slot->pooled + (s - first) * columns);
  }
}

/* Runs `rows` pooled rows through the Dense modules. Returns the last module's rows [rows, widest], valid
 * until the next call, or NULL. */
static const float *dense_run(struct slot *slot, int32_t rows, struct layer_watch *watch,
                              struct error *error) {
  const struct forward *forward = slot->forward;
  float *from = slot->pooled, *to = slot->dense;
  for (int32_t d = 0; d < forward->weights.dense_count; d++) {
    const struct dense_weights *dense = &forward->weights.dense[d];
    const int64_t count = (int64_t)rows * dense->config.outputs;
    if (!gemm_run(dense->gemm, dense->weights, slot->thread, rows, from, to, error)) return NULL;
    for (int64_t i = 0; i < count; i++) to[i] = activation_apply(dense->config.activation, to[i]);
    if (watch) {
      watch->whole = d < forward->weights.dense_count - 1;
      rows_watch(to, rows, dense->config.outputs, watch, forward->shape.layers + d);
    }
    float *const free_rows = from;
    from = to;
    to = free_rows;
  }
  return from;
}

static bool group_pool(struct slot *slot, const struct batch *batch, int32_t first, int32_t count,
                       slot_row_fn *row, void *context, struct error *error) {
  const int64_t widest = slot->forward->shape.widest;
  for (int32_t s = 0; s < count; s += slot->pooled_rows) {
    const int32_t left = count - s, rows = left < slot->pooled_rows ? left : slot->pooled_rows;
    sequences_pool(slot, batch->offsets + first, s, rows, batch->prompt_tokens);
    step_clock_lap(&slot->clock, STEP_POOL);
    const float *done = dense_run(slot, rows, NULL, error);
    if (!done) return false;
    if (slot->dense) step_clock_lap(&slot->clock, STEP_DENSE);
    for (int32_t r = 0; r < rows; r++)
      if (!row(context, first + s + r, done + r * widest)) return false;
    step_clock_lap(&slot->clock, STEP_WIDTHS);
  }
  return true;
}

bool slot_run(struct slot *slot, const struct batch *batch, slot_row_fn *row, void *context,
              struct error *error) {
  gemm_thread_enter();
  step_clock_start(&slot->clock);
  for (int32_t first = 0, last = 0; first < batch->sequences; first = last) {
    for (last = first + 1; last < batch->sequences; last++)
      if (batch->offsets[last + 1] - batch->offsets[first] > GROUP_TOKENS) break;
    if (!group_run(slot, batch, first, last - first, NULL, error)) return false;
    if (!group_pool(slot, batch, first, last - first, row, context, error)) return false;
  }
  slot->clock.times.rows += batch->sequences;
  slot->clock.times.tokens += batch->offsets[batch->sequences];
  return true;
}

const struct encoder_times *slot_times(const struct slot *slot) {
  return &slot->clock.times;
}

bool slot_blame(struct slot *slot, const struct batch *batch, int32_t sequence, enum row_verdict verdict,
                int32_t columns, slot_row_fn *row, void *context, struct error *error) {
  const struct model_shape *shape = &slot->forward->shape;
  const bool exact = slot->forward->precision == PRECISION_FP32;
  const int32_t dense = slot->forward->weights.dense_count;
  struct layer_watch watch = {verdict, columns, shape->pooling.count > 1 || dense > 0, ROW_LAYER_NONE};
  gemm_thread_enter();
  if (!group_run(slot, batch, sequence, 1, &watch, error)) return false;
  sequences_pool(slot, batch->offsets + sequence, 0, 1, batch->prompt_tokens);
  watch.whole = dense > 0;
  rows_watch(slot->pooled, 1, shape->hidden * shape->pooling.count, &watch, ROW_LAYER_POOLING);
  const float *done = dense_run(slot, 1, &watch, error);
  if (!done) return false;
  if (watch.first == ROW_LAYER_NONE && !row(context, sequence, done)) watch.first = ROW_LAYER_WIDTHS;
  return row_refuse(verdict, watch.first, shape->layers,
                    exact ? "this is fp32, so look at the model's own numbers" : "pass --precision fp32",
                    error);
}
