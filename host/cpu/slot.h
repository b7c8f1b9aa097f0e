/* One slot of the CPU encoder: a batch, and the memory in which one thread runs it through the layers. */
#pragma once

#include "host/cpu/weights.h"
#include "host/model/encoder_steps.h"
#include "host/model/row_verdict.h"

/* Shared by an encoder's slots; immutable while the slots run. */
struct forward {
  struct model_shape shape;
  struct weights weights;
  const struct kernels *kernels;
  enum precision precision;   /* FP32, BF16 or INT8 */
  enum precision activations; /* FP32 or BF16: the type in which attention reads and writes */
  int32_t max_tokens;         /* longest sequence */
  bool timed;                 /* slots measure their steps */
};

/* The most rows in one product: their inner activations fit the L2 cache. oneDNN reaches full speed at 64
 * rows (64 to 512 measured alike). */
#define FORWARD_ROWS 128

struct slot;

struct slot *slot_open(const struct forward *forward, struct error *error);
void slot_close(struct slot *slot);

/* Takes one sequence's pooled row [widest]. Rows come in order; if the function returns false, no more rows
 * come. The slot does not keep pooled rows. */
typedef bool slot_row_fn(void *context, int32_t sequence, const float *pooled);

/* Runs a checked batch in the calling thread. If `row` returns false, returns false without an error. */
bool slot_run(struct slot *slot, const struct batch *batch, slot_row_fn *row, void *context,
              struct error *error);

/* Time that the slot's batches took so far. */
const struct encoder_times *slot_times(const struct slot *slot);

/* Fills *error for a sequence whose row cannot be stored. Runs the sequence again by itself, which gives the
 * same row, and checks the first `columns` of the state after each layer. If all are right, `row` takes the
 * pooled row once more: if it returns false again, what follows the layers spoils the row. Returns false. */
bool slot_blame(struct slot *slot, const struct batch *batch, int32_t sequence, enum row_verdict verdict,
                int32_t columns, slot_row_fn *row, void *context, struct error *error);
