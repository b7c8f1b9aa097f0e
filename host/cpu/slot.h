/* One slot of the CPU encoder: a batch, and the memory in which one thread carries it through the layers. */
#pragma once

#include "host/cpu/weights.h"
#include "host/model/row_verdict.h"

/* What all slots of an encoder share; immutable while they run. */
struct forward {
  struct model_shape shape;
  struct weights weights;
  const struct kernels *kernels;
  enum precision precision;
  int32_t max_tokens; /* of a sequence */
};

/* Rows that a product takes at most: their inner activations fit the L2 cache, and oneDNN is at full speed
 * from 64 on (64 to 512 measured alike). */
#define FORWARD_ROWS 128

struct slot;

struct slot *slot_open(const struct forward *forward, struct error *error);
void slot_close(struct slot *slot);

/* pooled [sequences, hidden] is not kept: `row` is called with each sequence's pooled row, in order, as long
 * as it returns true. */
typedef bool slot_row_fn(void *context, int32_t sequence, const float *pooled);

/* Runs a checked batch in the calling thread. Also false, and without an error, if `row` was. */
bool slot_run(struct slot *slot, const struct batch *batch, slot_row_fn *row, void *context,
              struct error *error);

/* Fills *error for a sequence of a batch whose row cannot be stored: runs it again by itself, which gives the
 * same row, and looks at the first `columns` of the state after each layer. Returns false. */
bool slot_blame(struct slot *slot, const struct batch *batch, int32_t sequence, enum row_verdict verdict,
                int32_t columns, struct error *error);
