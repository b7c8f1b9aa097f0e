/* One slot of the CPU encoder: a batch, and the memory in which one thread carries it through the layers. */
#pragma once

#include "host/cpu/weights.h"

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

/* pooled [sequences, hidden] is not kept: `row` is called with each sequence's pooled row, in order. */
typedef void slot_row_fn(void *context, int32_t sequence, const float *pooled);

/* Runs a checked batch in the calling thread. */
bool slot_run(struct slot *slot, const struct batch *batch, slot_row_fn *row, void *context,
              struct error *error);
