/* One slot of the CUDA encoder: a stream (or a share in one), its event, and memory sized once for the
 * largest batch. In the steady state a batch is one copy up, the launches, one copy down for each width, and
 * one wait. */
#pragma once

#include "cuda/cuda_streams.h"
#include "cuda/cuda_weights.h"
#include "host/model/encoder.h"

/* What all slots of an encoder share; immutable while they run. */
struct cuda_forward {
  struct model_shape shape;
  struct cuda_weights weights;
  int32_t device, batch_tokens;
  int32_t width_count, widths[WIDTHS_MAX];
  struct cuda_streams streams;
};

struct cuda_slot;

/* Bytes of device memory that a slot takes. */
size_t cuda_slot_bytes(const struct cuda_forward *forward);

/* number: among the encoder's slots, from 0. */
struct cuda_slot *cuda_slot_open(const struct cuda_forward *forward, int32_t number, struct error *error);

/* Waits for what is still under way. */
void cuda_slot_close(struct cuda_slot *slot);

/* Queues a checked batch, whose arrays are copied before it returns. An error names the kernel. */
bool cuda_slot_submit(struct cuda_slot *slot, const struct batch *batch, struct error *error);

/* Waits for it; rows as in encoder_wait. */
bool cuda_slot_wait(struct cuda_slot *slot, uint16_t *const *rows, struct error *error);

/* As encoder_blamed. */
int32_t cuda_slot_blamed(const struct cuda_slot *slot);

/* Times the products of an idle slot whose weights are there, and appends what cuda/gemm_tuning.h describes.
 */
bool cuda_slot_tune(struct cuda_slot *slot, json_t *products, struct error *error);

/* Has them use it. */
bool cuda_slot_use_tuning(struct cuda_slot *slot, const json_t *products, struct error *error);
