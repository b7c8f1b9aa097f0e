/* A layer's passes in int8: one slot's buffers, and the steps that differ from the other precisions'. */
#pragma once

#include "host/cpu/slot.h"

struct int8_rows {
  uint8_t *bytes; /* [capacity, hidden]: the state as the next layer's projections read it */
  float *scales;  /* [capacity] of `bytes` */

  /* For one piece of at most FORWARD_ROWS rows. */
  int32_t *sums;        /* [FORWARD_ROWS, the most outputs of a product] */
  uint8_t *piece_bytes; /* [FORWARD_ROWS, the most inputs of a product] */
  float *piece_scales;  /* [FORWARD_ROWS] */
  float *row;           /* [the most inputs of a product]: the kernels' buffer */
};

/* Does nothing unless the precision is INT8. On an error the caller calls int8_rows_close all the same. */
bool int8_rows_open(struct int8_rows *rows, const struct forward *forward, int32_t capacity,
                    struct error *error);
void int8_rows_close(struct int8_rows *rows);

/* One piece of a layer's work: rows first … first + rows - 1 of a group. */
struct int8_piece {
  const struct forward *forward;
  int32_t layer;
  int64_t first;
  int32_t rows;
  struct int8_rows *buffers;
  struct gemm_thread *thread;
  struct step_clock *clock;
};

/* The state, as bytes for the piece's layer, after the embedding. */
void int8_piece_begin(const struct int8_piece *piece, const float *state);

/* projected [rows, 3 · hidden], in the type of activations. */
bool int8_piece_project(const struct int8_piece *piece, void *projected, struct error *error);

/* The steps after attention. context [rows, hidden] in the type of activations; state [rows, hidden] in and
 * out. The next layer's bytes go to the buffers. */
bool int8_piece_transform(const struct int8_piece *piece, const void *context, float *state,
                          struct error *error);
