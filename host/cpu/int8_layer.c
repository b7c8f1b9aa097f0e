#include "host/cpu/int8_layer.h"

#include <stdlib.h>

#include "host/cpu/aligned.h"
#include "host/cpu/int8_weights.h"

static void *rows_allocate(size_t rows, size_t bytes, struct error *error) {
  return aligned_allocate(rows * bytes, "int8's activations", error);
}

bool int8_rows_open(struct int8_rows *rows, const struct forward *forward, int32_t capacity,
                    struct error *error) {
  const size_t hidden = (size_t)forward->shape.hidden, ffn = (size_t)forward->shape.ffn;
  const size_t inputs = ffn > hidden ? ffn : hidden, outputs = ffn > 3 * hidden ? ffn : 3 * hidden;
  const size_t tokens = (size_t)capacity;
  if (forward->precision != PRECISION_INT8) return true;
  return (rows->bytes = rows_allocate(tokens, hidden, error)) &&
         (rows->scales = rows_allocate(tokens, sizeof *rows->scales, error)) &&
         (rows->sums = rows_allocate(FORWARD_ROWS, outputs * sizeof *rows->sums, error)) &&
         (rows->piece_bytes = rows_allocate(FORWARD_ROWS, inputs, error)) &&
         (rows->piece_scales = rows_allocate(FORWARD_ROWS, sizeof *rows->piece_scales, error)) &&
         (rows->row = rows_allocate(1, inputs * sizeof *rows->row, error));
}

void int8_rows_close(struct int8_rows *rows) {
  free(rows->bytes);
  free(rows->scales);
  free(rows->sums);
  free(rows->piece_bytes);
  free(rows->piece_scales);
  free(rows->row);
}

static const struct layer_weights *layer_of(const struct int8_piece *piece, int32_t layer) {
  return &piece->forward->weights.layer[layer];
}

/* The bytes of a layer's projections; NULL if there are no more layers. */
static const struct byte_form *projection_input(const struct int8_piece *piece, int32_t layer) {
  if (layer == piece->forward->shape.layers) return NULL;
  return &layer_of(piece, layer)->int8->projection.input;
}

/* Where the state's bytes stand. */
static struct byte_rows state_bytes(const struct int8_piece *piece) {
  const struct int8_rows *buffers = piece->buffers;
  return (struct byte_rows){buffers->bytes + piece->first * piece->forward->shape.hidden,
                            buffers->scales + piece->first};
}

void int8_piece_begin(const struct int8_piece *piece, const float *state) {
  piece->forward->kernels->int8->f32_to_bytes(projection_input(piece, piece->layer), state, piece->rows,
                                              piece->buffers->row, state_bytes(piece));
}

static bool product_run(const struct int8_piece *piece, struct gemm *gemm, const struct int8_linear *linear,
                        struct byte_rows input, enum encoder_step step, struct error *error) {
  const bool done =
      gemm_run(gemm, linear->weights, piece->thread, piece->rows, input.bytes, piece->buffers->sums, error);
  step_clock_lap(piece->clock, step);
  return done;
}

static struct sum_rows sums_of(const struct int8_piece *piece, struct byte_rows input) {
  return (struct sum_rows){piece->buffers->sums, input.scales};
}

bool int8_piece_project(const struct int8_piece *piece, void *projected, struct error *error) {
  const struct forward *forward = piece->forward;
  const struct int8_kernels *kernels = forward->kernels->int8;
  const struct int8_linear *linear = &layer_of(piece, piece->layer)->int8->projection;
  const struct byte_rows input = state_bytes(piece);
  if (!product_run(piece, forward->weights.projection, linear, input, STEP_PROJECTION, error)) return false;
  if (forward->activations == PRECISION_BF16)
    kernels->sums_to_bf16(&linear->sums, sums_of(piece, input), piece->rows, projected);
  else
    kernels->sums_to_f32(&linear->sums, sums_of(piece, input), piece->rows, projected);
  step_clock_lap(piece->clock, STEP_PROJECTION);
  return true;
}

bool int8_piece_transform(const struct int8_piece *piece, const void *context, float *state,
                          struct error *error) {
  const struct forward *forward = piece->forward;
  const struct weights *weights = &forward->weights;
  const struct int8_kernels *kernels = forward->kernels->int8;
  const struct layer_weights *layer = layer_of(piece, piece->layer);
  const struct int8_layer *int8 = layer->int8;
  const struct byte_rows rows = {piece->buffers->piece_bytes, piece->buffers->piece_scales};
  float *row = piece->buffers->row;
  if (forward->activations == PRECISION_BF16)
    kernels->bf16_to_bytes(&int8->attention_output.input, context, piece->rows, row, rows);
  else
    kernels->f32_to_bytes(&int8->attention_output.input, context, piece->rows, row, rows);
  if (!product_run(piece, weights->attention_output, &int8->attention_output, rows, STEP_ATTENTION_OUTPUT,
                   error))
    return false;
  kernels->sums_add_norm(&int8->attention_output.sums, &layer->attention_norm, sums_of(piece, rows),
                         piece->rows, state, &int8->intermediate.input, row, rows);
  step_clock_lap(piece->clock, STEP_ADD_NORM);
  if (!product_run(piece, weights->intermediate, &int8->intermediate, rows, STEP_INTERMEDIATE, error))
    return false;
  kernels->sums_gelu(&int8->intermediate.sums, sums_of(piece, rows), piece->rows, &int8->output.input, row,
                     rows);
  step_clock_lap(piece->clock, STEP_GELU);
  if (!product_run(piece, weights->output, &int8->output, rows, STEP_OUTPUT, error)) return false;
  kernels->sums_add_norm(&int8->output.sums, &layer->output_norm, sums_of(piece, rows), piece->rows, state,
                         projection_input(piece, piece->layer + 1), row, state_bytes(piece));
  step_clock_lap(piece->clock, STEP_ADD_NORM);
  return true;
}
